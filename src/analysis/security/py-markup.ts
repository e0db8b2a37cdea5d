import type { SgNode } from '@ast-grep/napi';
import { ANY_VALUE, flowHit, FROM_REQUEST, stringValue } from './checks.ts';
import { isBuilt } from './py-injection.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

function responseHit(call: Call, scene: Scene): Hit | null {
  const type = stringValue(scene, call.option('content_type') ?? call.option('mimetype') ?? call.option('media_type'));
  if (type !== null && !/html|xml|svg/iu.test(type)) return null;
  return flowHit(scene, call.args[0] ?? call.option('content') ?? call.option('body'), FROM_REQUEST);
}

/** Whether a return statement of a route gives back a value of the request as text. */
function returnHit(node: SgNode, scene: Scene): Hit | null {
  const fn = node.ancestors().find((a) => a.kind() === 'function_definition');
  const around = fn?.parent();
  if (
    around?.kind() !== 'decorated_definition' ||
    !/@[\w.]*\b(?:route|get|post)\(/u.test(around.text().slice(0, 300)) ||
    !/flask|bottle|sanic|Flask/u.test(scene.text)
  )
    return null;
  const [value] = node.namedChildren();
  if (value === undefined) return null;
  const known = scene.definition(value);
  const kind = known.kind();
  const isText =
    kind === 'binary_operator' ||
    kind === 'string' ||
    (kind === 'call' && /\.(?:format|get|join|replace|strip|upper|lower)$/u.test(known.field('function')?.text() ?? '')) ||
    kind === 'subscript';
  return isText ? flowHit(scene, value, FROM_REQUEST) : null;
}

/** Rules on markup and formats that are built from values. */
export const pyMarkupRules: readonly SecurityRule[] = [
  {
    id: 'security/py-markup-unsafe',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'A value that is not constant is marked as safe HTML',
    advice: 'Use format_html, or escape the value.',
    keywords: ['Markup', 'mark_safe', 'SafeString', 'format_html', 'SafeText', 'literal(', 'html_safe'],
    calls: {
      callee: /(?:^|\.)(?:Markup|mark_safe|SafeString|SafeText|literal)$|^django\.utils\.html\.format_html$|^format_html$/u,
      check: (call, scene) => {
        const [text] = call.args;
        if (call.name === 'literal' && !call.callee.includes('webhelpers')) return null;
        if (call.name === 'format_html')
          return text !== undefined && text.kind() !== 'identifier' && isBuilt(text, scene)
            ? flowHit(scene, text, ANY_VALUE)
            : null;
        return flowHit(scene, text, ANY_VALUE);
      },
    },
    bad: [
      'from markupsafe import Markup\ndef f(t):\n    return Markup(t)\n',
      'from django.utils.safestring import mark_safe\nmark_safe("<b>%s</b>" % request.GET["a"])\n',
      'from django.utils.html import format_html\ndef f(a):\n    return format_html("<b>" + a + "</b>")\n',
    ],
    good: [
      'from markupsafe import Markup\nMarkup("<b>x</b>")\n',
      'from django.utils.html import format_html\nformat_html("<b>{}</b>", a)\n',
      'mark_safe(escape(t))\n',
    ],
  },
  {
    id: 'security/py-reflected-response',
    severity: 'high',
    cwe: ['CWE-79'],
    message: 'A response repeats a value of the request as HTML',
    advice: 'Render a template that escapes, or escape the value.',
    keywords: ['HttpResponse', 'make_response', 'Response', 'return ', '.write('],
    calls: {
      callee:
        /(?:^|\.)(?:HttpResponse|HttpResponseBadRequest|HttpResponseNotFound|HttpResponseForbidden|make_response|HTMLResponse|Response)$|^self\.(?:write|response\.write|response\.out\.write)$/u,
      check: responseHit,
    },
    nodes: { kinds: ['return_statement'], check: returnHit },
    bad: [
      'def v(request):\n    return HttpResponse("hi " + request.GET["n"])\n',
      'from flask import Flask, request\n@app.route("/")\ndef f():\n    return "<p>" + request.args.get("a") + "</p>"\n',
      'from flask import make_response, request\ndef f():\n    return make_response(f"hi {request.args[\'a\']}")\n',
    ],
    good: [
      'def v(request):\n    return HttpResponse("ok")\n',
      'def v(request):\n    return HttpResponse(escape(request.GET["n"]))\n',
      'def v(request):\n    return HttpResponse(json.dumps(request.GET), content_type="application/json")\n',
      'from flask import Flask, request\n@app.route("/")\ndef f():\n    return render_template("a.html", a=request.args["a"])\n',
    ],
  },
  {
    id: 'security/py-html-request',
    severity: 'medium',
    cwe: ['CWE-79'],
    message: 'HTML is put together with a value of the request',
    advice: 'Use a template engine that escapes, or escape the value.',
    yieldsTo: ['security/py-reflected-response', 'security/py-markup-unsafe', 'security/py-template-injection'],
    keywords: ['request', 'event['],
    nodes: {
      kinds: ['binary_operator', 'string', 'call'],
      check: (node, scene) => {
        const kind = node.kind();
        const text = node.text();
        if (
          text.length > 2000 ||
          (kind === 'binary_operator' && node.parent()?.kind() === 'binary_operator') ||
          !/["'][^"']*<\/?(?:[a-z][a-z0-9]*)[\s/>]/iu.test(text)
        )
          return null;
        if (kind === 'call' && !/^f?["']{1,3}.*\.format\(/su.test(text)) return null;
        if (kind === 'string' && !/^[rR]?[fF]/u.test(text)) return null;
        return flowHit(scene, node, FROM_REQUEST);
      },
    },
    bad: [
      'def v(request):\n    h = "<p>" + request.GET["a"] + "</p>"\n    page(h)\n',
      'def v(request):\n    h = f"<div>{request.POST.get(\'a\')}</div>"\n',
    ],
    good: ['h = "<p>" + name + "</p>"\n', 'def v(request):\n    h = "<p>%s</p>" % escape(request.GET["a"])\n'],
  },
  {
    id: 'security/py-format-request',
    severity: 'low',
    cwe: ['CWE-134'],
    message: 'A format string comes from outside: it can read attributes of what is formatted',
    advice: 'Keep the format constant and pass the value as an argument.',
    keywords: ['.format('],
    calls: {
      callee: /\.format$/u,
      check: (call, scene) =>
        call.receiver === null || call.args.length === 0 ? null : flowHit(scene, call.receiver, FROM_REQUEST),
    },
    bad: ['def v(request):\n    t = request.GET["t"]\n    return t.format(user)\n'],
    good: ['"a {}".format(request.GET["t"])\n'],
  },
];
