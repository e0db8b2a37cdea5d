import type { SgNode } from '@ast-grep/napi';
import { ANY_VALUE, flowHit, FROM_CALLER, FROM_REQUEST, functionText, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const TEXT_WITH_TAG = /<\/?[a-z!][^]*|<$/iu;

/** Whether an expression puts HTML together: a template or concatenation with a tag in its constant parts. */
function buildsHtml(node: SgNode): boolean {
  const kind = node.kind();
  return (kind === 'template_string' || kind === 'binary_expression') && TEXT_WITH_TAG.test(node.text());
}

function responseBody(call: Call, scene: Scene): Hit | null {
  const [body] = call.args;
  if (body === undefined || body.kind() === 'object') return null;
  const hit = flowHit(scene, body, { request: 'high', parameter: 'low' });
  if (hit === null || hit.confidence === 'high') return hit;
  return buildsHtml(scene.definition(body)) ? hit : null;
}

function messageListener(call: Call, scene: Scene): Hit | null {
  if (stringValue(scene, call.args[0]) !== 'message') return null;
  const receiver = call.receiver?.text() ?? 'window';
  if (!/^(?:window|self|globalThis|top|parent|this)$/u.test(receiver)) return null;
  const [, listener] = call.args;
  if (listener === undefined) return null;
  const body = /function|arrow/u.test(listener.kind().toString()) ? listener.text() : '';
  if (body === '' || /\.(?:origin|source)\b|\borigin\b|isTrusted/u.test(body)) return null;
  return { confidence: 'medium' };
}

/** Rules on what reaches a page: markup, addresses, messages between windows. */
export const jsBrowserRules: readonly SecurityRule[] = [
  {
    id: 'security/js-inner-html',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'Markup of an element is set from a value that is not constant',
    advice: 'Use textContent, or sanitize the markup.',
    keywords: ['innerHTML', 'outerHTML', 'srcdoc'],
    assigns: { name: /^(?:innerHTML|outerHTML|srcdoc)$/u, check: ({ value }, scene) => flowHit(scene, value, ANY_VALUE) },
    bad: [
      'function f(el, t) { el.innerHTML = t; }',
      'el.outerHTML = "<b>" + location.hash + "</b>";',
      'ref.current.innerHTML += data.title;',
    ],
    good: [
      'el.innerHTML = "";',
      'el.innerHTML = DOMPurify.sanitize(t);',
      'const B = "<b>x</b>"; el.innerHTML = B;',
      'el.textContent = t;',
    ],
  },
  {
    id: 'security/js-document-write',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'Markup is written into the page from a value that is not constant',
    advice: 'Make elements and set their textContent, or sanitize the markup.',
    keywords: ['document.write', 'insertAdjacentHTML', 'createContextualFragment', 'parseFromString', 'setHTMLUnsafe'],
    calls: {
      callee: /(?:^|\.)document\.(?:write|writeln)$|\.(?:insertAdjacentHTML|createContextualFragment|setHTMLUnsafe)$/u,
      check: (call, scene) => flowHit(scene, call.name === 'insertAdjacentHTML' ? call.args[1] : call.args[0], ANY_VALUE),
    },
    bad: [
      'function f(t) { document.write(t); }',
      'el.insertAdjacentHTML("beforeend", `<p>${name}</p>`);',
      'window.document.writeln(location.search);',
    ],
    good: ['document.write("<b>x</b>");', 'el.insertAdjacentHTML("beforeend", "<p></p>");'],
  },
  {
    id: 'security/js-jquery-html',
    severity: 'medium',
    cwe: ['CWE-79'],
    message: 'jQuery makes markup of a value that comes from a caller',
    advice: 'Use .text(), or sanitize the markup.',
    keywords: ['$(', 'jQuery', '.html('],
    calls: {
      callee:
        /^(?:\$|jQuery)(?:\(.*\))?(?:\.\w+(?:\(.*\))?)*\.(?:html|append|prepend|after|before|replaceWith|wrap)$|^(?:\$|jQuery)(?:\.parseHTML)?$|^\$\w+\.(?:html|append|prepend)$/u,
      check: (call, scene) => {
        const [first] = call.args;
        if (first === undefined) return null;
        if (call.callee === '$' || call.callee === 'jQuery') {
          const hit = flowHit(scene, first, FROM_REQUEST);
          return hit ?? (buildsHtml(first) ? flowHit(scene, first, FROM_CALLER) : null);
        }
        return call.name === 'html' || buildsHtml(first)
          ? flowHit(scene, first, FROM_CALLER)
          : flowHit(scene, first, FROM_REQUEST);
      },
    },
    bad: ['function f(t) { $("#a").html(t); }', '$(location.hash);', 'function f(n) { $("#l").append("<li>" + n + "</li>"); }'],
    good: ['$("#a").html("<b></b>");', '$("#a").text(t);', 'function f(el) { $(el).append(el); }'],
  },
  {
    id: 'security/js-react-dangerous-html',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'React sets markup from a value that is not constant',
    advice: 'Render the value as text, or sanitize the markup.',
    keywords: ['dangerouslySetInnerHTML', '__html'],
    entries: { key: /^__html$/u, check: ({ value }, scene) => flowHit(scene, value, ANY_VALUE) },
    bad: [
      'const A = ({ t }) => <p dangerouslySetInnerHTML={{ __html: t }} />;',
      'function m(x) { return { __html: render(x) }; }',
    ],
    good: [
      'const A = () => <p dangerouslySetInnerHTML={{ __html: "<b>x</b>" }} />;',
      'const A = (p) => <p dangerouslySetInnerHTML={{ __html: DOMPurify.sanitize(p.t) }} />;',
    ],
  },
  {
    id: 'security/js-jsx-address',
    severity: 'medium',
    cwe: ['CWE-79'],
    message: 'An address in markup comes from outside: javascript: addresses run code',
    advice: 'Allow only http and https addresses.',
    keywords: ['href=', 'src=', 'action=', 'srcDoc='],
    nodes: {
      kinds: ['jsx_attribute'],
      check: (node, scene) => {
        const name = node.child(0)?.text() ?? '';
        if (!/^(?:href|src|action|formAction|srcDoc|xlinkHref)$/u.test(name)) return null;
        const value = node.namedChildren().at(1);
        const inner = value?.kind() === 'jsx_expression' ? value.namedChildren()[0] : undefined;
        return flowHit(scene, inner, FROM_REQUEST);
      },
    },
    bad: [
      'const A = () => <a href={location.search}>x</a>;',
      'function A() { const u = searchParams.get("u"); return <iframe src={u} />; }',
    ],
    good: ['const A = (p) => <a href={p.url}>x</a>;', 'const A = () => <a href="/b">x</a>;'],
  },
  {
    id: 'security/js-framework-bypass',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'A framework is told to trust a value as markup, script or address',
    advice: 'Let the framework sanitize, or sanitize the value before.',
    keywords: ['bypassSecurityTrust', 'trustAs', 'SafeString', 'noEscape', 'escapeMarkup', '$sceProvider'],
    calls: {
      callee: /\.(?:bypassSecurityTrust\w+|trustAs\w*|SafeString)$|^\$sceProvider\.enabled$/u,
      check: (call, scene) => {
        if (call.name === 'enabled') return call.args[0]?.text() === 'false' ? { confidence: 'high' } : null;
        return flowHit(scene, call.args.at(-1), ANY_VALUE);
      },
    },
    entries: {
      key: /^(?:noEscape|escapeMarkup)$/u,
      check: ({ key, value }) =>
        (key === 'noEscape' ? value.text() === 'true' : value.text() === 'false') ? { confidence: 'medium' } : null,
    },
    bad: [
      'class A { f(v) { return this.sanitizer.bypassSecurityTrustHtml(v); } }',
      'Handlebars.compile("a", { noEscape: true });',
    ],
    good: ['this.sanitizer.bypassSecurityTrustHtml("<b>x</b>");', 'Handlebars.compile("a", { noEscape: false });'],
  },
  {
    id: 'security/js-escape-disabled',
    severity: 'medium',
    cwe: ['CWE-79', 'CWE-116'],
    message: 'Escaping of a template engine is switched off',
    advice: 'Leave escaping on and mark single safe values.',
    keywords: ['escape', 'autoescape'],
    entries: { key: /^autoescape$/u, check: ({ value }) => (value.text() === 'false' ? { confidence: 'high' } : null) },
    assigns: {
      name: /^(?:escapeMarkup|escape)$/u,
      check: ({ target, value }) => {
        const off = value.text() === 'false' || /^(?:\w+|\(\w+\))=>\w+$/u.test(value.text().replace(/\s/gu, ''));
        return off && /^(?:mustache|Mustache)\.escape$|\.escapeMarkup$/u.test(target) ? { confidence: 'high' } : null;
      },
    },
    bad: ['nunjucks.configure("v", { autoescape: false });', 'template.escapeMarkup = false;', 'mustache.escape = (t) => t;'],
    good: ['nunjucks.configure("v", { autoescape: true });', 'this.escape = false;'],
  },
  {
    id: 'security/js-reflected-response',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'A response repeats a value of the request as HTML',
    advice: 'Escape the value, or answer with JSON.',
    keywords: ['.send', '.write', '.end('],
    calls: {
      callee: /(?:^|\.)(?:res|response|resp|reply)(?:\.(?:status|type|set|header|code)\(.*\))*\.(?:send|write|end)$/u,
      check: responseBody,
    },
    bad: [
      'app.get("/", (req, res) => { res.send("<h1>" + req.query.name + "</h1>"); });',
      'app.get("/", (req, res) => { const n = req.params.n; res.write(`hi ${n}`); });',
      'http.createServer((req, res) => { res.end(req.url); });',
    ],
    good: [
      'app.get("/", (req, res) => { res.send("ok"); });',
      'app.get("/", (req, res) => { res.send({ n: req.query.n }); });',
      'app.get("/", (req, res) => { res.send(escapeHtml(req.query.n)); });',
      'app.get("/", (req, res) => { res.json(req.query); });',
    ],
  },
  {
    id: 'security/js-raw-html-request',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'HTML is put together with a value of the request',
    advice: 'Use a template engine that escapes, or escape the value.',
    yieldsTo: [
      'security/js-reflected-response',
      'security/js-inner-html',
      'security/js-document-write',
      'security/js-jquery-html',
    ],
    keywords: ['req.', 'request.', 'ctx.', 'location', 'event.', '@Query', '@Param', '@Body'],
    nodes: {
      kinds: ['template_string', 'binary_expression'],
      check: (node, scene) => {
        const text = node.text();
        if (text.length > 2000 || !/["'`][^"'`]*<\/?[a-z][a-z0-9]*\b|<\/?[a-z][a-z0-9]*[ >/]/iu.test(text)) return null;
        if (
          node.kind() === 'binary_expression' &&
          (node.field('operator')?.text() !== '+' || node.parent()?.kind() === 'binary_expression')
        )
          return null;
        if (node.kind() === 'template_string' && !text.includes('${')) return null;
        return flowHit(scene, node, FROM_REQUEST);
      },
    },
    bad: [
      'app.get("/", (req, res) => { const html = `<p>${req.query.a}</p>`; show(html); });',
      'app.get("/", (req, res) => { const h = "<div>" + req.body.m + "</div>"; page(h); });',
    ],
    good: ['const h = `<p>${name}</p>`;', 'if (a < req.query.b) f();', 'const x = `${req.query.a} < 4`;'],
  },
  {
    id: 'security/js-postmessage-any-origin',
    severity: 'medium',
    cwe: ['CWE-345'],
    message: "postMessage is sent to any origin ('*')",
    advice: 'Name the origin that may read the message.',
    keywords: ['postMessage'],
    calls: {
      callee: /(?:^|\.)postMessage$/u,
      check: (call, scene) => (stringValue(scene, call.args[1]) === '*' ? { confidence: 'high' } : null),
    },
    bad: ['window.parent.postMessage(data, "*");'],
    good: ['w.postMessage(data, "https://a.b");', 'worker.postMessage(data);'],
  },
  {
    id: 'security/js-message-no-origin-check',
    severity: 'medium',
    cwe: ['CWE-346'],
    message: 'A message listener does not look at the origin of its messages',
    advice: 'Compare event.origin with the allowed origins first.',
    keywords: ['message'],
    calls: { callee: /(?:^|\.)addEventListener$/u, check: messageListener },
    assigns: {
      name: /^onmessage$/u,
      check: ({ target, value }) =>
        /^(?:window|self)\.onmessage$/u.test(target) &&
        /function|arrow/u.test(value.kind().toString()) &&
        !/\borigin\b/u.test(value.text()) &&
        !/importScripts|self\.postMessage/u.test(value.text())
          ? { confidence: 'low' }
          : null,
    },
    bad: [
      'window.addEventListener("message", (e) => { run(e.data); });',
      'window.addEventListener("message", function (evt) { show(evt.data.x); }, false);',
    ],
    good: [
      'window.addEventListener("message", (e) => { if (e.origin !== "https://a.b") return; run(e.data); });',
      'worker.addEventListener("message", (e) => run(e.data));',
    ],
  },
  {
    id: 'security/js-client-redirect',
    severity: 'medium',
    cwe: ['CWE-601'],
    message: 'The page goes to an address that comes from outside',
    advice: 'Allow only paths of this site, or addresses of a list.',
    keywords: ['location', 'window.open'],
    assigns: {
      name: /^(?:location|href)$/u,
      check: ({ target, value, node }, scene) => {
        if (!/(?:^|\.)location(?:\.href)?$/u.test(target) || node.kind() === 'variable_declarator') return null;
        const hit = flowHit(scene, value, FROM_REQUEST);
        return hit === null ||
          isSameSite(value) ||
          /startsWith|indexOf|allow|valid/u.test(functionText(node, scene).slice(0, 4000))
          ? null
          : hit;
      },
    },
    calls: {
      callee: /(?:^|\.)location\.(?:replace|assign)$|^window\.open$/u,
      check: (call, scene) =>
        call.args[0] === undefined || isSameSite(call.args[0]) ? null : flowHit(scene, call.args[0], FROM_REQUEST),
    },
    bad: [
      'location.href = new URLSearchParams(location.search).get("next");',
      'const p = new URLSearchParams(window.location.search); window.location.replace(p.get("u"));',
    ],
    good: [
      'location.href = "/home";',
      'window.location = `/users/${id}`;',
      'location.href = location.pathname;',
      'location.replace("/a?" + location.search);',
    ],
  },
];

/** Whether an address keeps to this site: it begins with a constant, or is the address of the page itself. */
function isSameSite(value: SgNode): boolean {
  const text = value.text();
  return (
    /^["'`](?:\/[^/]|https?:\/\/[^"'`$]+\/|[?#])/u.test(text) ||
    /^(?:window\.|document\.)*location(?:\.\w+)?(?:\.(?:replace|split)\(.*)?$/u.test(text) ||
    /^(?:window\.|document\.)*location\.(?:pathname|origin|href|protocol)\s*\+/u.test(text)
  );
}
