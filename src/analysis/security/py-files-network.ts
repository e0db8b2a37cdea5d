import type { SgNode } from '@ast-grep/napi';
import { always, firstHit, flowHit, FROM_REQUEST, functionText, isFalsy, outsideHit, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const PATH_GUARD =
  /secure_filename|safe_join|os\.path\.basename|\.is_relative_to\(|commonpath|commonprefix|\.startswith\(|["']\.\.["']\s*(?:not\s+)?in\b|\.resolve\(\)\.relative_to/u;
const HTTP_CALL =
  /^(?:requests|httpx|aiohttp|urllib3|requests\.Session\(\)|httpx\.(?:Async)?Client\(\))\.(?:get|post|put|delete|head|patch|options|request|urlopen)$|^urllib\.request\.(?:urlopen|urlretrieve|Request|URLopener\(\)\.open)$|^urllib2?\.(?:urlopen|urlretrieve|Request)$|^(?:session|client|http|s|sess)\.(?:get|post|put|delete|head|patch|request)$/u;

function pathHit(call: Call, value: SgNode | null | undefined, scene: Scene): Hit | null {
  const hit = outsideHit(scene, value);
  if (hit === null || PATH_GUARD.test(functionText(call.node, scene))) return null;
  return hit;
}

function isConstantHost(scene: Scene, value: SgNode): boolean {
  return /^f?["']{1,3}https?:\/\/[^/{"'%]+\//u.test(scene.definition(value).text());
}

function ssrfHit(call: Call, scene: Scene): Hit | null {
  const target = (call.name === 'request' ? call.args[1] : call.args[0]) ?? call.option('url');
  if (target === null || target === undefined || isConstantHost(scene, target)) return null;
  const hit = outsideHit(scene, target);
  if (hit?.origin?.kind === 'parameter') return /url|uri|host|domain|user_?input/iu.test(hit.origin.via) ? hit : null;
  return hit;
}

function redirectHit(call: Call, scene: Scene): Hit | null {
  const [target] = call.args;
  if (target === undefined || /^f?["']\/[^/{"']/u.test(scene.definition(target).text()) || isConstantHost(scene, target))
    return null;
  const guarded = /is_safe_url|url_has_allowed_host|urlparse\(|\.netloc\b|\.startswith\(|allowed/u.test(
    functionText(call.node, scene),
  );
  return guarded ? null : flowHit(scene, target, FROM_REQUEST);
}

/** Rules on files, archives, addresses and documents. */
export const pyFilesNetworkRules: readonly SecurityRule[] = [
  {
    id: 'security/py-path-traversal',
    severity: 'high',
    cwe: ['CWE-22'],
    message: 'A file is chosen by a value that comes from outside, which may contain ..',
    advice: 'Use safe_join or send_from_directory, or check that the resolved path lies in the folder.',
    keywords: ['open(', 'send_file', 'FileResponse', 'remove(', 'unlink(', 'Path(', 'rmtree', 'join('],
    calls: {
      callee:
        /^(?:open|io\.open|codecs\.open|os\.open|flask\.send_file|send_file|FileResponse|\w+\.FileResponse|os\.(?:remove|unlink|rename|listdir|rmdir|mkdir|makedirs|stat)|shutil\.(?:rmtree|copy|copyfile|move)|pathlib\.Path|aiofiles\.open)$|^os\.path\.join$/u,
      check: (call, scene) => {
        if (call.callee === 'os.path.join')
          return firstHit(scene, call.args, (s, v) => (flowHit(s, v, FROM_REQUEST) === null ? null : pathHit(call, v, s)));
        const [first] = call.args;
        if (first === undefined) return null;
        const hit = pathHit(call, first, scene);
        return hit?.origin?.kind === 'parameter' && scene.definition(first).kind() === 'identifier' ? null : hit;
      },
    },
    bad: [
      'def v(request):\n    return open("up/" + request.GET["f"]).read()\n',
      'from flask import send_file, request\n@app.route("/")\ndef f():\n    return send_file(request.args["p"])\n',
      'import os\ndef v(request):\n    p = os.path.join("/up", request.GET.get("f"))\n',
    ],
    good: [
      'open("a.txt")\n',
      'def f(path):\n    return open(path)\n',
      'def v(request):\n    return open("up/" + secure_filename(request.GET["f"]))\n',
      'open(sys.argv[1])\n',
    ],
  },
  {
    id: 'security/py-archive-extract',
    severity: 'medium',
    cwe: ['CWE-22'],
    message: 'An archive is unpacked with the paths that it names',
    advice: "Pass filter='data' (tarfile), or check each name before.",
    keywords: ['extractall', 'extract(', 'unpack_archive'],
    calls: {
      callee: /\.(?:extractall|unpack_archive)$|^shutil\.unpack_archive$/u,
      check: (call, scene) => {
        if (call.option('filter') !== null || call.option('members') !== null) return null;
        if (!/tarfile|zipfile|shutil/u.test(scene.text)) return null;
        const isZip = !/tarfile/u.test(scene.text);
        return PATH_GUARD.test(functionText(call.node, scene)) ? null : { confidence: isZip ? 'low' : 'medium' };
      },
    },
    bad: ['import tarfile\nwith tarfile.open(p) as t:\n    t.extractall("out")\n'],
    good: ['import tarfile\nwith tarfile.open(p) as t:\n    t.extractall("out", filter="data")\n', 'frame.extractall()\n'],
  },
  {
    id: 'security/py-temp-file-race',
    severity: 'medium',
    cwe: ['CWE-377'],
    message: 'A temporary file has a name that others can foresee or take first',
    advice: 'Use tempfile.mkstemp or NamedTemporaryFile.',
    keywords: ['mktemp', 'tempnam', 'tmpnam', '/tmp', '/var/tmp'],
    calls: {
      callee: /^(?:tempfile\.mktemp|os\.tempnam|os\.tmpnam|mktemp)$|^open$/u,
      check: (call, scene) => {
        if (call.callee !== 'open') return { confidence: 'high' };
        const path = stringValue(scene, call.args[0]);
        const mode = stringValue(scene, call.args[1] ?? call.option('mode')) ?? 'r';
        return path !== null && /^\/(?:var\/)?tmp\//u.test(path) && /[wax+]/u.test(mode) ? { confidence: 'medium' } : null;
      },
    },
    bad: [
      'import tempfile\np = tempfile.mktemp()\n',
      'from tempfile import mktemp as mk\nmk()\n',
      'f = open("/tmp/blah.txt", "w")\n',
    ],
    good: ['import tempfile\ntempfile.mkstemp()\n', 'open("/var/a.txt", "w")\n'],
  },
  {
    id: 'security/py-file-permissions',
    severity: 'medium',
    cwe: ['CWE-732'],
    message: 'A file is made writable for everyone',
    advice: 'Give only the rights that are needed, e.g. 0o600.',
    keywords: ['chmod', 'umask'],
    calls: {
      callee: /(?:^|\.)(?:chmod|lchmod|fchmod|umask)$/u,
      check: (call) => {
        const mode =
          (call.name === 'umask'
            ? call.args[0]
            : (call.args[1] ?? (call.callee.startsWith('os.') ? undefined : call.args[0]))
          )?.text() ?? '';
        if (call.name === 'umask') return /^(?:0|0o0+)$/u.test(mode) ? { confidence: 'medium' } : null;
        if (/S_IWOTH|S_IRWXO|S_IXOTH/u.test(mode)) return { confidence: 'medium' };
        const value = /^(?:0o?[0-7]+|0x[\da-f]+|\d+)$/iu.test(mode)
          ? Number(/^0[0-7]+$/u.test(mode) ? `0o${mode.slice(1)}` : mode)
          : 0;
        return (value & 0o022) !== 0 || (value & 0o007) === 0o007 ? { confidence: (value & 0o002) === 0 ? 'low' : 'high' } : null;
      },
    },
    bad: ['import os\nos.chmod("a", 0o777)\n', 'import os, stat\nos.chmod("a", stat.S_IRWXU | stat.S_IRWXO)\n', 'os.umask(0)\n'],
    good: ['import os\nos.chmod("a", 0o600)\n', 'os.chmod("a", 0o755)\n', 'os.umask(0o077)\n'],
  },
  {
    id: 'security/py-ssrf',
    severity: 'high',
    cwe: ['CWE-918'],
    message: 'The server requests an address that comes from outside',
    advice: 'Allow only hosts of a list, and no private addresses.',
    keywords: ['requests', 'urllib', 'httpx', 'aiohttp', 'urlopen'],
    calls: { callee: HTTP_CALL, check: ssrfHit },
    bad: [
      'import requests\ndef v(request):\n    requests.get(request.GET["u"])\n',
      'from urllib.request import urlopen\n@app.route("/<u>")\ndef f(u):\n    urlopen("http://" + u)\n',
      'import httpx\ndef f(user_url):\n    return httpx.get(user_url)\n',
    ],
    good: [
      'import requests\nrequests.get("https://a.b/c")\n',
      'import requests\ndef v(request):\n    requests.get("https://a.b/" + request.GET["id"])\n',
      'import requests\ndef f(path):\n    return requests.get(BASE + path)\n',
    ],
  },
  {
    id: 'security/py-url-scheme',
    severity: 'low',
    cwe: ['CWE-939'],
    message: 'urllib opens an address that is not constant; it also reads file: addresses',
    advice: 'Check that the address begins with https://.',
    yieldsTo: ['security/py-ssrf'],
    keywords: ['urlopen', 'urlretrieve', 'URLopener'],
    calls: {
      callee: /^urllib\.request\.(?:urlopen|urlretrieve|URLopener\(\)\.(?:open|retrieve))$|^urllib2?\.(?:urlopen|urlretrieve)$/u,
      check: (call, scene) => {
        const [target] = call.args;
        if (
          target === undefined ||
          /https?:\/\//u.test(scene.definition(target).text()) ||
          /^["']?(?:urllib\.request\.)?Request\(/u.test(scene.definition(target).text())
        )
          return null;
        return flowHit(scene, target, { request: 'high', parameter: 'low', unknown: 'low' });
      },
    },
    bad: ['import urllib.request\ndef f(u):\n    urllib.request.urlopen(u)\n'],
    good: ['import urllib.request\nurllib.request.urlopen("https://a.b")\n'],
  },
  {
    id: 'security/py-open-redirect',
    severity: 'medium',
    cwe: ['CWE-601'],
    message: 'The response redirects to an address that comes from the request',
    advice: 'Allow only paths of this site (url_has_allowed_host_and_scheme).',
    keywords: ['redirect', 'Redirect'],
    calls: {
      callee: /(?:^|\.)(?:redirect|HttpResponseRedirect|HttpResponsePermanentRedirect|RedirectResponse|HTTPFound|HTTPSeeOther)$/u,
      check: redirectHit,
    },
    bad: [
      'def v(request):\n    return redirect(request.GET.get("next"))\n',
      'from flask import redirect, request\ndef f():\n    u = request.args["u"]\n    return redirect(u)\n',
    ],
    good: [
      'def v(request):\n    return redirect("/home")\n',
      'def v(request):\n    n = request.GET["n"]\n    if not url_has_allowed_host_and_scheme(n, None):\n        n = "/"\n    return redirect(n)\n',
      'def v(request):\n    return redirect(url_for("a", n=request.args["n"]))\n',
    ],
  },
  {
    id: 'security/py-xxe',
    severity: 'medium',
    cwe: ['CWE-611', 'CWE-776'],
    message: 'XML is parsed by a parser that expands entities',
    advice: 'Use defusedxml, or lxml with resolve_entities=False.',
    keywords: ['xml', 'lxml', 'etree'],
    calls: {
      callee:
        /^(?:xml\.etree\.(?:c?ElementTree)\.(?:parse|fromstring|iterparse|XML|XMLParser)|xml\.dom\.(?:minidom|pulldom|expatbuilder)\.(?:parse|parseString)|xml\.sax\.(?:parse|parseString|make_parser)|lxml\.etree\.(?:parse|fromstring|XML|XMLParser|iterparse)|xml\.parsers\.expat\.ParserCreate|xmlrpc\.server\.SimpleXMLRPCServer|xml\.sax\.expatreader\.create_parser)$/u,
      check: (call, scene) => {
        const [first] = call.args;
        if (call.name === 'XMLParser') {
          if (!call.callee.startsWith('lxml')) return { confidence: 'low' };
          const resolves = call.option('resolve_entities');
          return isFalsy(resolves) ? null : { confidence: resolves === null ? 'low' : 'high' };
        }
        if (call.callee.startsWith('lxml')) {
          const parser = call.option('parser') ?? call.args[1];
          if (parser !== undefined && /resolve_entities\s*=\s*False/u.test(scene.definition(parser).text())) return null;
        }
        if (first === undefined) return { confidence: 'low' };
        const origin = scene.origin(first);
        return origin.kind === 'constant' ? null : { confidence: origin.kind === 'request' ? 'high' : 'low', origin };
      },
    },
    bad: [
      'import xml.etree.ElementTree as ET\ndef f(t):\n    return ET.fromstring(t)\n',
      'from lxml import etree\netree.parse(fh)\n',
      'from xml.dom import minidom\nminidom.parseString(request.data)\n',
    ],
    good: [
      'from defusedxml.ElementTree import fromstring\nfromstring(t)\n',
      'from lxml import etree\netree.parse(fh, etree.XMLParser(resolve_entities=False))\n',
      'import xml.etree.ElementTree as ET\nET.fromstring("<a/>")\n',
    ],
  },
  {
    id: 'security/py-plain-protocol',
    severity: 'medium',
    cwe: ['CWE-611'],
    message: 'A protocol without encryption, or a handler of its past, is used',
    advice: 'Use a protocol over TLS (SSH, FTP_TLS, HTTPS).',
    keywords: ['xmlrpc', 'SimpleXMLRPCServer', 'wsgiref.handlers', 'telnetlib', 'ftplib', 'HTTPConnection'],
    calls: {
      callee:
        /^(?:telnetlib\.Telnet|ftplib\.FTP|xmlrpclib\.\w+|SimpleXMLRPCServer|wsgiref\.handlers\.CGIHandler|urllib3\.(?:connectionpool\.)?HTTPConnectionPool|http\.client\.HTTPConnection)$/u,
      check: always('medium'),
    },
    bad: ['import telnetlib\ntelnetlib.Telnet("a")\n', 'from ftplib import FTP\nFTP("a")\n'],
    good: ['from ftplib import FTP_TLS\nFTP_TLS("a")\n'],
  },
  {
    id: 'security/py-plain-http',
    severity: 'low',
    cwe: ['CWE-319'],
    message: 'A request goes over plain http',
    advice: 'Use https.',
    keywords: ['http://', 'ftp://'],
    productionOnly: true,
    calls: {
      callee: new RegExp(`${HTTP_CALL.source}|^urllib\\.request\\.\\w+(?:\\(\\))?\\.\\w+$`, 'u'),
      check: (call, scene) => {
        const target = stringValue(scene, call.args[0]) ?? stringValue(scene, call.args[1] ?? call.option('url'));
        if (target === null || !/^(?:http|ftp):\/\/[\w-]+\.[\w.-]+/iu.test(target)) return null;
        return /^http:\/\/(?:localhost|127\.|10\.|192\.168\.|169\.254\.|0\.0\.0\.0|\[|[\w.-]*\.(?:local|internal|test|svc))/iu.test(
          target,
        )
          ? null
          : { confidence: 'low' };
      },
    },
    bad: ['import requests\nrequests.get("http://api.shop.com/a")\n'],
    good: [
      'import requests\nrequests.get("https://api.shop.com/a")\n',
      'import requests\nrequests.get("http://localhost:80/")\n',
    ],
  },
  {
    id: 'security/py-paramiko-host-key',
    severity: 'high',
    cwe: ['CWE-295', 'CWE-322'],
    message: 'Host keys of SSH servers are accepted without a check',
    advice: 'Load known hosts and use RejectPolicy.',
    keywords: ['set_missing_host_key_policy', 'known_hosts'],
    calls: {
      callee: /\.set_missing_host_key_policy$|^asyncssh\.connect$/u,
      check: (call) => {
        if (call.name === 'connect') return call.option('known_hosts')?.text() === 'None' ? { confidence: 'high' } : null;
        return /AutoAddPolicy|WarningPolicy/u.test(call.args[0]?.text() ?? '') ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'import paramiko\nc.set_missing_host_key_policy(paramiko.AutoAddPolicy())\n',
      'from paramiko import client\nc.set_missing_host_key_policy(client.WarningPolicy)\n',
    ],
    good: ['import paramiko\nc.set_missing_host_key_policy(paramiko.RejectPolicy())\n'],
  },
  {
    id: 'security/py-bind-all',
    severity: 'low',
    cwe: ['CWE-668'],
    message: 'A server listens on all interfaces',
    advice: 'Listen on 127.0.0.1, or on the one interface that is needed.',
    keywords: ['0.0.0.0', "('',", '("",', '::'],
    productionOnly: true,
    calls: {
      callee:
        /\.(?:bind|run|run_app|listen|serve|create_server)$|^(?:uvicorn|waitress)\.\w+$|^(?:HTTPServer|TCPServer|socketserver\.\w+|http\.server\.\w+)$/u,
      check: (call, scene) => {
        const host = stringValue(scene, call.option('host'));
        if (host === '0.0.0.0' || host === '::') return { confidence: 'medium' };
        const [first] = call.args;
        if (first === undefined) return null;
        if (/^["']0\.0\.0\.0["']$/u.test(first.text())) return { confidence: 'medium' };
        return scene.definition(first).kind() === 'tuple' &&
          /^\(\s*["'](?:0\.0\.0\.0|::|)["']\s*,/u.test(scene.definition(first).text())
          ? { confidence: 'medium' }
          : null;
      },
    },
    bad: ['s.bind(("0.0.0.0", 80))\n', 'app.run(host="0.0.0.0")\n', 's.bind(("", 80))\n'],
    good: ['s.bind(("127.0.0.1", 80))\n', 'app.run(host="localhost")\n'],
  },
  {
    id: 'security/py-untrusted-channel',
    severity: 'medium',
    cwe: ['CWE-502', 'CWE-319'],
    message: 'Objects are received over a channel whose format can run code',
    advice: 'Send JSON, and check who is at the other end.',
    keywords: ['multiprocessing', 'logging.config', 'listen('],
    calls: { callee: /^logging\.config\.listen$|^multiprocessing\.connection\.(?:Client|Listener)$/u, check: always('medium') },
    bad: [
      'import logging.config\nt = logging.config.listen(9999)\n',
      'from multiprocessing.connection import Client\nClient(a)\n',
    ],
    good: ['s.listen(5)\n'],
  },
];
