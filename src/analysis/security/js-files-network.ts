import type { SgNode } from '@ast-grep/napi';
import { firstHit, flowHit, FROM_REQUEST, functionText, isTrue, outsideHit, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const FS_CALL =
  /^fs(?:-extra)?(?:\.promises)?\.(?:readFile|readFileSync|writeFile|writeFileSync|appendFile|appendFileSync|createReadStream|createWriteStream|open|openSync|unlink|unlinkSync|readdir|readdirSync|stat|statSync|rm|rmSync|rmdir|rmdirSync|mkdir|mkdirSync|copyFile|copyFileSync|rename|renameSync|access|accessSync|exists|existsSync|chmod|chmodSync|outputFile|readJson|remove)$|^(?:readFile|readFileSync|writeFile|writeFileSync|createReadStream|unlink|unlinkSync)$/u;
const SEND_FILE =
  /^(?:res|response|reply|resp)(?:\.\w+\(.*\))*\.(?:sendFile|sendfile|download|attachment)$|^(?:send|koa-send|ctx\.attachment)$/u;
/** What keeps a path inside a folder: the text of the function then has one of these. */
const PATH_GUARD =
  /\.startsWith\(|\.indexOf\(\s*['"`]?(?:\.\.|\w*(?:root|dir|base|path))|includes\(\s*['"]\.\.|path\.relative\(|basename\(|isPathInside|replace\(\s*\/[^/]*\\?\.\\?\./iu;

function pathHit(value: SgNode | undefined, scene: Scene, node: SgNode, isJoin: boolean): Hit | null {
  const hit = outsideHit(scene, value);
  if (hit === null || (hit.origin?.kind === 'parameter' && !isJoin && !isComposed(scene, value))) return null;
  return PATH_GUARD.test(functionText(node, scene)) ? null : hit;
}

function isComposed(scene: Scene, value: SgNode | undefined): boolean {
  const kind = value === undefined ? '' : scene.definition(value).kind().toString();
  return kind === 'binary_expression' || kind === 'template_string' || kind === 'member_expression' || kind === 'identifier';
}

const HTTP_CALL =
  /^(?:(?:window|globalThis|global)\.)?fetch$|^(?:axios|got|needle|superagent|request|request-promise|node-fetch|undici|ky|https?|bent|phin|unirest|\$http|urllib|request-promise-native|cross-fetch|isomorphic-fetch|follow-redirects\.https?)(?:\.(?:get|post|put|delete|head|patch|request|fetch|default|stream))?$/u;

/** Whether the host of an address is constant: then a value further on cannot choose it. */
function hasConstantHost(scene: Scene, value: SgNode): boolean {
  const text = scene.definition(value).text();
  if (/^["'`]https?:\/\/[^/$"'`]+\/|^["'`]\/(?!\/)/u.test(text)) return true;
  return /^["'`]https?:\/\/[^/$"'`]+["'`]\s*\+\s*["'`]\//u.test(text);
}

function ssrfHit(call: Call, scene: Scene): Hit | null {
  const [first] = call.args;
  if (first === undefined) return null;
  const target =
    first.kind() === 'object'
      ? (call.option('url') ?? call.option('uri') ?? call.option('hostname') ?? call.option('host') ?? call.option('baseURL'))
      : first;
  if (target === null || hasConstantHost(scene, target)) return null;
  const hit = outsideHit(scene, target);
  if (hit === null || /location|document\./u.test(hit.origin?.via ?? '')) return null;
  return hit.origin?.kind === 'parameter' && !/url|uri|host|domain|input|user|req/iu.test(hit.origin.via) ? null : hit;
}

function redirectHit(call: Call, scene: Scene): Hit | null {
  const target = call.args.at(-1);
  if (target === undefined || /^["'`](?:\/[^/$"'`]|https?:\/\/[^/$"'`]+\/)/u.test(scene.definition(target).text())) return null;
  const hit = flowHit(scene, target, FROM_REQUEST);
  const guarded = /\.startsWith\(|\.includes\(|whitelist|allow(?:ed|list)|isLocal|\.indexOf\(|\.hostname\b|\.test\(/iu.test(
    functionText(call.node, scene).slice(0, 5000),
  );
  return hit === null || guarded || /req\.(?:originalUrl|path|baseUrl)$/u.test(hit.origin?.via ?? '') ? null : hit;
}

/** Rules on files, paths, addresses and documents that come from outside. */
export const jsFilesNetworkRules: readonly SecurityRule[] = [
  {
    id: 'security/js-path-traversal',
    severity: 'high',
    cwe: ['CWE-22'],
    message: 'A file is chosen by a value that comes from outside, which may contain ..',
    advice: 'Take path.basename of it, or resolve it and check that it lies in the folder.',
    yieldsTo: ['security/js-zip-slip'],
    keywords: ['fs', 'readFile', 'sendFile', 'sendfile', 'download', 'createReadStream', 'unlink', 'send('],
    calls: {
      callee: new RegExp(`${FS_CALL.source}|${SEND_FILE.source}`, 'u'),
      check: (call, scene) => pathHit(call.args[0], scene, call.node, false),
    },
    bad: [
      'const fs = require("fs"); app.get("/", (req, res) => { fs.readFile("./up/" + req.query.f, cb); });',
      'app.get("/", (req, res) => { res.sendFile(path.join(root, req.params.name)); });',
      'import { readFileSync } from "node:fs"; export function f(userFile) { return readFileSync("/data/" + userFile); }',
    ],
    good: [
      'const fs = require("fs"); fs.readFile("./a.txt", cb);',
      'const fs = require("fs"); function load(config) { return fs.readFileSync(config); }',
      'app.get("/", (req, res) => { res.sendFile(path.join(root, path.basename(req.params.name))); });',
      'app.get("/", (req, res) => { const p = path.resolve(root, req.query.f); if (!p.startsWith(root)) return; res.sendFile(p); });',
    ],
  },
  {
    id: 'security/js-path-join-outside',
    severity: 'medium',
    cwe: ['CWE-22'],
    message: 'A path is joined with a value that comes from outside, which may contain ..',
    advice: 'Check after joining that the result lies in the folder.',
    yieldsTo: ['security/js-path-traversal', 'security/js-zip-slip'],
    keywords: ['path', 'join', 'resolve'],
    calls: {
      callee: /^path(?:\.posix|\.win32)?\.(?:join|resolve)$/u,
      check: (call, scene) => firstHit(scene, call.args, (s, value) => pathHit(value ?? undefined, s, call.node, true)),
    },
    bad: [
      'const path = require("path"); app.get("/", (req, res) => { const p = path.join("/up", req.params.f); use(p); });',
      'import path from "path"; function f(userInput) { return path.resolve("/a", userInput); }',
    ],
    good: [
      'const path = require("path"); path.join(__dirname, "a");',
      'import { join } from "path"; function f(dir, name) { return join(dir, name); }',
      'const path = require("path"); function f(entry) { const p = path.join(root, entry); if (!p.startsWith(root)) throw new Error(); return p; }',
    ],
  },
  {
    id: 'security/js-zip-slip',
    severity: 'high',
    cwe: ['CWE-22'],
    message: 'An archive entry is written where its own name says',
    advice: 'Resolve the name and check that it lies in the target folder.',
    keywords: ['unzip', 'Zip', 'tar', 'entry'],
    calls: {
      callee: /^(?:fs|fs-extra)\.(?:createWriteStream|writeFile|writeFileSync)$|^createWriteStream$/u,
      check: (call, scene) => {
        const [target] = call.args;
        if (target === undefined) return null;
        const shown = `${target.text()} ${scene.definition(target).text()}`;
        if (
          !/\b(?:entry|file|header|zipEntry)\w*\.(?:path|fileName|entryName|name)\b|\bfileName\b/u.test(shown) ||
          !/unzip|yauzl|adm-zip|AdmZip|tar-stream|jszip|\btar\b/u.test(scene.text)
        )
          return null;
        return PATH_GUARD.test(functionText(call.node, scene)) ? null : { confidence: 'high' };
      },
    },
    bad: [
      'const unzipper = require("unzipper"); const fs = require("fs"); s.pipe(unzipper.Parse()).on("entry", (entry) => { entry.pipe(fs.createWriteStream("out/" + entry.path)); });',
    ],
    good: [
      'const unzipper = require("unzipper"); const fs = require("fs"); s.on("entry", (entry) => { if (entry.path.indexOf("..") !== -1) return; entry.pipe(fs.createWriteStream("out/" + entry.path)); });',
      'const fs = require("fs"); fs.createWriteStream("out/" + entry.path);',
    ],
  },
  {
    id: 'security/js-ssrf',
    severity: 'high',
    cwe: ['CWE-918'],
    message: 'The server requests an address that comes from outside',
    advice: 'Allow only hosts of a list, and no private addresses.',
    keywords: ['fetch', 'axios', 'got', 'http', 'request', 'needle', 'superagent', 'undici'],
    calls: { callee: HTTP_CALL, check: ssrfHit },
    bad: [
      'const axios = require("axios"); app.get("/", async (req, res) => { await axios.get(req.query.url); });',
      'app.get("/", async (req, res) => { const u = req.body.u; await fetch(`http://${u}/x`); });',
      'import http from "http"; export const f = (event) => http.get(event.queryStringParameters.u);',
    ],
    good: [
      'fetch("https://a.b/c");',
      'fetch(`https://api.a.b/v1/${req.params.id}`);',
      'function f(path) { return fetch(path); }',
      'app.get("/", async (req) => { const u = validateUrl(req.query.u); await fetch(u); });',
    ],
  },
  {
    id: 'security/js-open-redirect',
    severity: 'medium',
    cwe: ['CWE-601'],
    message: 'The response redirects to an address that comes from the request',
    advice: 'Allow only paths of this site, or addresses of a list.',
    keywords: ['redirect', 'Location', 'location'],
    calls: {
      callee:
        /(?:^|\.)(?:res|response|reply|ctx|resp|NextResponse|Response)(?:\.status\(.*\))?\.redirect$|^redirect$|^(?:res|response)\.location$|^(?:res|response)\.(?:setHeader|header|set|writeHead)$/u,
      check: (call, scene) => {
        if (call.name === 'writeHead') return flowHit(scene, call.option('Location') ?? call.option('location'), FROM_REQUEST);
        if (/header|^set/iu.test(call.name))
          return /^location$/iu.test(stringValue(scene, call.args[0]) ?? '') ? redirectHit(call, scene) : null;
        return redirectHit(call, scene);
      },
    },
    bad: [
      'app.get("/", (req, res) => { res.redirect(req.query.next); });',
      'app.get("/", (req, res) => { const t = req.query.t; res.redirect(302, t); });',
      'http.createServer((req, res) => { res.writeHead(302, { Location: req.url }); });',
    ],
    good: [
      'app.get("/", (req, res) => { res.redirect("/home"); });',
      'app.get("/", (req, res) => { res.redirect(`/u/${req.params.id}`); });',
      'app.get("/", (req, res) => { if (!allowed.includes(req.query.n)) return; res.redirect(req.query.n); });',
    ],
  },
  {
    id: 'security/js-xxe',
    severity: 'high',
    cwe: ['CWE-611'],
    message: 'An XML parser is told to load external entities',
    advice: 'Leave entity loading off.',
    keywords: ['noent', 'libxml', 'expat', 'resolveEntities', 'processEntities'],
    entries: { key: /^noent$/u, check: ({ value }) => (isTrue(value) ? { confidence: 'high' } : null) },
    calls: { callee: /^(?:node-expat|expat)\.Parser$/u, check: () => ({ confidence: 'medium' }) },
    bad: [
      'const lib = require("libxmljs"); lib.parseXmlString(t, { noent: true, noblanks: true });',
      'const expat = require("node-expat"); const p = new expat.Parser("UTF-8");',
    ],
    good: ['const lib = require("libxmljs"); lib.parseXml(t);', 'lib.parseXml(t, { noent: false });'],
  },
  {
    id: 'security/js-xml-from-request',
    severity: 'medium',
    cwe: ['CWE-611', 'CWE-776'],
    message: 'XML of the request is parsed by a parser that expands entities',
    advice: 'Refuse document types, and limit the size.',
    keywords: ['xml2json', 'sax', 'xml2js', 'parseXml', 'libxml'],
    calls: {
      callee: /^(?:xml2json|xml2js|libxmljs2?|sax)(?:\.\w+)?$|(?:^|\.)(?:parseXml|parseXmlString|toJson)$/u,
      check: (call, scene) => (call.name === 'Parser' || call.isNew ? null : flowHit(scene, call.args[0], FROM_REQUEST)),
    },
    bad: ['const xml2json = require("xml2json"); app.post("/", (req, res) => { xml2json.toJson(req.body); });'],
    good: ['const xml2json = require("xml2json"); xml2json.toJson("<a/>");'],
  },
  {
    id: 'security/js-plain-http',
    severity: 'low',
    cwe: ['CWE-319'],
    message: 'A request goes over plain http',
    advice: 'Use https.',
    yieldsTo: ['security/js-ssrf'],
    keywords: ['http://', 'ftp://'],
    productionOnly: true,
    calls: {
      callee: HTTP_CALL,
      check: (call, scene) => {
        const target = stringValue(scene, call.args[0]) ?? stringValue(scene, call.option('url') ?? call.option('uri'));
        if (target === null || !/^(?:http|ftp):\/\/[\w-]+\.[\w.-]+/iu.test(target)) return null;
        return /^http:\/\/(?:localhost|127\.|10\.|192\.168\.|0\.0\.0\.0|\[|[\w.-]*\.(?:local|internal|test|svc))/iu.test(target)
          ? null
          : { confidence: 'low' };
      },
    },
    bad: ['fetch("http://api.shop.com/a");', 'const axios = require("axios"); axios.post("http://pay.shop.com/", d);'],
    good: ['fetch("https://api.shop.com/a");', 'fetch("http://localhost:3000/");'],
  },
];
