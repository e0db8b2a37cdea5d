import { flowHit, FROM_REQUEST, isFalsy, isTrue, stringValue } from './checks.ts';
import type { Call, Entry, Hit, Scene, SecurityRule } from './rule.ts';

function originReflected(call: Call, scene: Scene): Hit | null {
  const [name, value] = call.args;
  const header = stringValue(scene, name) ?? '';
  if (/^(?:x-frame-options|content-security-policy)$/iu.test(header)) return flowHit(scene, value, FROM_REQUEST);
  if (!/^access-control-allow-origin$/iu.test(header)) return null;
  if (stringValue(scene, value) === '*') return { confidence: 'medium', severity: 'low' };
  return flowHit(scene, value, FROM_REQUEST);
}

function corsOptions(call: Call, scene: Scene): Hit | null {
  const origin = call.option('origin');
  if (origin === null) return null;
  const open = origin.text() === 'true' || stringValue(scene, origin) === '*';
  if (open && isTrue(call.option('credentials'))) return { confidence: 'high' };
  return open && call.name === 'cors' ? { confidence: 'low', severity: 'low' } : flowHit(scene, origin, FROM_REQUEST);
}

/** Whether cookie options are meant: keys of a cookie beside it, or a call that sets one. */
function isCookie(entry: Entry): boolean {
  const around = entry.node.parent();
  const near = `${around?.text() ?? ''} ${entry.node
    .ancestors()
    .slice(1, 5)
    .map((a) => a.text().slice(0, 60))
    .join(' ')}`;
  return /cookie|session|httpOnly|sameSite|maxAge/iu.test(near);
}

/** Rules on settings: transport, cookies, origins, processes, buffers. */
export const jsConfigRules: readonly SecurityRule[] = [
  {
    id: 'security/js-tls-verification-off',
    severity: 'high',
    cwe: ['CWE-295'],
    message: 'Certificates of the other side are not checked',
    advice: 'Add the missing authority with the option ca, and leave the check on.',
    keywords: [
      'rejectUnauthorized',
      'NODE_TLS_REJECT_UNAUTHORIZED',
      'strictSSL',
      'checkServerIdentity',
      'createInsecure',
      'SSL_VERIFY',
    ],
    productionOnly: true,
    entries: {
      key: /^(?:rejectUnauthorized|strictSSL|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity)$/u,
      check: ({ key, value }) => {
        if (key === 'checkServerIdentity')
          return /^(?:\(.*\)|\w+)\s*=>\s*(?:undefined|null|true|\{\s*\})$/u.test(value.text()) ? { confidence: 'high' } : null;
        return isFalsy(value) ? { confidence: 'high' } : null;
      },
    },
    assigns: {
      name: /^(?:rejectUnauthorized|strictSSL|NODE_TLS_REJECT_UNAUTHORIZED)$/u,
      check: ({ value }) => (isFalsy(value) ? { confidence: 'high' } : null),
    },
    calls: {
      callee: /[cC]redentials\.createInsecure$|\.setOpt$/u,
      check: (call) => {
        const curl = /SSL_VERIFY(?:PEER|HOST)/u.test(call.args[0]?.text() ?? '') && isFalsy(call.args[1] ?? null);
        return call.name === 'createInsecure' || curl ? { confidence: 'medium' } : null;
      },
    },
    bad: [
      'https.get({ host: "a", rejectUnauthorized: false });',
      'process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";',
      'process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = 0;',
      'const c = grpc.credentials.createInsecure();',
    ],
    good: ['https.get({ host: "a", rejectUnauthorized: true });', 'x.rejectUnauthorized = opts.strict;'],
  },
  {
    id: 'security/js-weak-tls-version',
    severity: 'medium',
    cwe: ['CWE-326'],
    message: 'A broken version of TLS or SSL is allowed',
    advice: 'Require TLSv1.2 or later.',
    keywords: ['TLSv1', 'SSLv', 'minVersion', 'secureProtocol', 'TLSv1_'],
    entries: {
      key: /^(?:minVersion|maxVersion|secureProtocol|minDHSize)$/u,
      check: ({ key, value }) =>
        key !== 'minDHSize' && /^["'`](?:SSLv[23]\w*|TLSv1(?:[._]1)?(?:_method)?)["'`]$/u.test(value.text())
          ? { confidence: 'high' }
          : null,
    },
    bad: ['tls.connect({ minVersion: "TLSv1" });', 'https.request({ secureProtocol: "SSLv3_method" });'],
    good: ['tls.connect({ minVersion: "TLSv1.2" });', 'https.request({ secureProtocol: "TLSv1_2_method" });'],
  },
  {
    id: 'security/js-insecure-cookie',
    severity: 'medium',
    cwe: ['CWE-614', 'CWE-1004'],
    message: 'A cookie can be read by scripts or sent over plain http',
    advice: 'Set httpOnly: true, secure: true and sameSite.',
    keywords: ['httpOnly', 'secure', 'sameSite'],
    productionOnly: true,
    entries: {
      key: /^(?:httpOnly|secure|sameSite)$/u,
      check: (entry) => {
        if (entry.key === 'sameSite') return null;
        return entry.value.text() === 'false' && isCookie(entry) ? { confidence: 'medium', detail: `${entry.key}: false` } : null;
      },
    },
    assigns: {
      name: /^(?:httpOnly|secure)$/u,
      check: ({ target, value, name }) =>
        value.text() === 'false' && /cookie/iu.test(target) ? { confidence: 'medium', detail: `${name} = false` } : null,
    },
    bad: [
      'res.cookie("a", b, { httpOnly: false });',
      'app.use(session({ cookie: { secure: false } }));',
      'opts.cookie.httpOnly = false;',
    ],
    good: ['res.cookie("a", b, { httpOnly: true, secure: true });', 'createTransport({ host: "a", secure: false });'],
  },
  {
    id: 'security/js-session-cookie-defaults',
    severity: 'low',
    cwe: ['CWE-614', 'CWE-522'],
    message: 'A session is set up without secure cookie options',
    advice: 'Give cookie: { secure: true, httpOnly: true, sameSite: "lax" } and a name of your own.',
    keywords: ['express-session', 'cookie-session'],
    productionOnly: true,
    calls: {
      callee: /^(?:express-session|cookie-session)$/u,
      check: (call) => {
        const [options] = call.args;
        if (options?.kind() !== 'object') return null;
        const text = options.text();
        return /\bsecure\s*:\s*(?!false)/u.test(text) && /\.\.\.|\bname\s*:|httpOnly|domain/u.test(text)
          ? null
          : { confidence: 'low' };
      },
    },
    bad: [
      'const session = require("express-session"); app.use(session({ secret: process.env.S }));',
      'import s from "cookie-session"; app.use(s({ keys: [k], cookie: { httpOnly: true } }));',
    ],
    good: [
      'const session = require("express-session"); app.use(session({ name: "a", secret: s, cookie: { secure: true, httpOnly: true } }));',
    ],
  },
  {
    id: 'security/js-cors-open',
    severity: 'medium',
    cwe: ['CWE-942'],
    message: 'Pages of other origins may read the answers, frame the page or send its requests',
    advice: 'Name the allowed origins.',
    keywords: [
      'ccess-Control-Allow-Origin',
      'ccess-control-allow-origin',
      'cors',
      'rame-',
      'ontent-Security',
      'ontent-security',
      'FRAME',
      'csrfPrevention',
    ],
    calls: {
      callee:
        /(?:^|\.)(?:setHeader|header|set|append|appendHeader)$|^(?:cors|@koa\/cors|@fastify\/cors)$|\.(?:enableCors|register)$/u,
      check: (call, scene) =>
        /header|^set$|^append$/iu.test(call.name) ? originReflected(call, scene) : corsOptions(call, scene),
    },
    entries: {
      key: /^(?:Access-Control-Allow-Origin|csrfPrevention)$/iu,
      check: ({ key, value }, scene) =>
        key === 'csrfPrevention'
          ? value.text() === 'false'
            ? { confidence: 'high' }
            : null
          : stringValue(scene, value) === '*'
            ? { confidence: 'low', severity: 'low' }
            : flowHit(scene, value, FROM_REQUEST),
    },
    bad: [
      'app.use(cors({ origin: true, credentials: true }));',
      'app.use((req, res) => { res.setHeader("Access-Control-Allow-Origin", req.headers.origin); });',
      'res.header("Access-Control-Allow-Origin", "*");',
    ],
    good: [
      'app.use(cors({ origin: "https://a.b", credentials: true }));',
      'res.setHeader("Access-Control-Allow-Origin", "https://a.b");',
      'res.setHeader("X-A", "*");',
    ],
  },
  {
    id: 'security/js-electron-unsafe',
    severity: 'high',
    cwe: ['CWE-1188', 'CWE-653'],
    message: 'A window gives its pages powers of the machine, or drops the protection between pages',
    advice: 'Keep nodeIntegration off, contextIsolation, sandbox and webSecurity on.',
    keywords: [
      'nodeIntegration',
      'contextIsolation',
      'webSecurity',
      'allowRunningInsecureContent',
      'enableRemoteModule',
      'experimentalFeatures',
    ],
    entries: {
      key: /^(?:nodeIntegration|nodeIntegrationInWorker|nodeIntegrationInSubFrames|contextIsolation|webSecurity|allowRunningInsecureContent|enableRemoteModule|experimentalFeatures)$/u,
      check: ({ key, value }) => {
        const bad = key === 'contextIsolation' || key === 'webSecurity' ? value.text() === 'false' : value.text() === 'true';
        return bad ? { confidence: 'high', detail: `${key}: ${value.text()}` } : null;
      },
    },
    bad: [
      'new BrowserWindow({ webPreferences: { nodeIntegration: true } });',
      'new BrowserWindow({ webPreferences: { contextIsolation: false } });',
    ],
    good: ['new BrowserWindow({ webPreferences: { nodeIntegration: false, contextIsolation: true } });'],
  },
  {
    id: 'security/js-unsafe-buffer',
    severity: 'low',
    cwe: ['CWE-119', 'CWE-1188'],
    message: 'A buffer is made or read by a call that skips checks or shows old memory',
    advice: 'Use Buffer.from or Buffer.alloc, and leave noAssert out.',
    keywords: ['new Buffer', 'noAssert', 'allocUnsafe', 'UInt', 'readInt', 'writeInt', 'Float', 'Double'],
    calls: {
      callee: /^Buffer$|\.(?:read|write)(?:U?Int(?:8|16LE|16BE|32LE|32BE)|FloatLE|FloatBE|DoubleLE|DoubleBE)$/u,
      check: (call) => {
        if (call.callee === 'Buffer') return call.isNew ? { confidence: 'medium' } : null;
        return call.args.at(-1)?.text() === 'true' ? { confidence: 'high' } : null;
      },
    },
    bad: ['new Buffer(10);', 'b.readUInt8(0, true);', 'b.writeDoubleLE(1, 0, true);'],
    good: ['Buffer.from("a");', 'b.readUInt8(0);', 'b.readUInt8(0, false);'],
  },
];
