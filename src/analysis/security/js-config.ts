import { flowHit, FROM_REQUEST, isFalsy, isTrue, literalSecretHit, looksLikePlaceholder, stringValue } from './checks.ts';
import type { Assignment, Call, Entry, Hit, Scene, SecurityRule } from './rule.ts';

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

function credentialEntry(entry: Entry, scene: Scene): Hit | null {
  const value = stringValue(scene, entry.value);
  if (value === null || value.length < 3 || looksLikePlaceholder(value) || /\s/u.test(value)) return null;
  const isConnection = entry.node
    .ancestors()
    .slice(0, 6)
    .some((a) => /^(?:call_expression|new_expression)$/u.test(a.kind().toString()) && CONNECTORS.test(a.text().slice(0, 120)));
  const siblings = entry.node.parent()?.text() ?? '';
  if (!isConnection && !/\b(?:host|hostname|user|username|database|server|port|connectionString)\b["']?\s*:/u.test(siblings))
    return null;
  if (
    /\b(?:type|label|title|description|required|placeholder|message|component|validate|name:\s*["'](?:password|pass))\b["']?\s*:/u.test(
      siblings,
    ) &&
    !isConnection
  )
    return null;
  return { confidence: isConnection ? 'high' : 'medium', secret: value };
}

const CONNECTORS =
  /\b(?:createConnection|createPool|createClient|Sequelize|Client|Pool|connect|createTransport|Redis|knex|Connection|MongoClient|DataSource|TypeOrmModule\.forRoot|login|auth|NodeSSH|neo4j|axios|request|needle|S3|config\.update)\b/u;

const CREDENTIAL_NAME =
  /^(?:\w*[_a-z])?(?:password|passwd|passphrase|pwd|secret|secret_?key|api_?key|auth_?token|access_?token|client_?secret|private_?key)$|^pass$/iu;
const WORDS = /^[a-z]+(?:[-_.: ][a-z]+)*$|^[a-z]+(?:[A-Z][a-z]+)+$|^[A-Z]+(?:_[A-Z]+)*$/u;

function credentialAssignment({ value, name }: Assignment, scene: Scene): Hit | null {
  const text = value.kind() === 'string' ? stringValue(scene, value) : null;
  if (text === null || text.length < 4 || looksLikePlaceholder(text)) return null;
  if (WORDS.test(text) || /\s|^(?:https?:|\/|\.|#|--)/u.test(text) || text.toLowerCase() === name.toLowerCase()) return null;
  return /^(?:is|has|show|no|use|invalid|missing|forgot|reset)/iu.test(name) ? null : { confidence: 'low', secret: text };
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

/** Rules on settings: transport, cookies, origins, processes, credentials written in code. */
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
      callee: /credentials\.createInsecure$|ServerCredentials\.createInsecure$/u,
      check: () => ({ confidence: 'medium' }),
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
    id: 'security/js-hardcoded-session-secret',
    severity: 'high',
    cwe: ['CWE-798'],
    message: 'A secret that signs sessions or cookies is written in the code',
    advice: 'Take it from the environment or a secret store.',
    keywords: ['session', 'cookie', 'secret', 'csurf', 'passport', 'Strategy'],
    productionOnly: true,
    calls: {
      callee:
        /^(?:express-session|cookie-session|cookie-parser|koa-session|session|cookieSession|cookieParser|@fastify\/session|@fastify\/cookie|iron-session)$|(?:^|\.)\w*Strategy$/u,
      check: (call, scene) => {
        const direct = /parser/iu.test(call.callee) ? call.args[0] : undefined;
        const option =
          call.option('secret') ??
          call.option('clientSecret') ??
          call.option('consumerSecret') ??
          call.option('secretOrKey') ??
          call.option('password');
        const hit = literalSecretHit(scene, direct ?? option, 1);
        if (hit !== null) return hit;
        const keys = call.option('keys');
        return keys?.kind() === 'array' ? literalSecretHit(scene, keys.namedChildren()[0], 1) : null;
      },
    },
    bad: [
      'const session = require("express-session"); app.use(session({ secret: "cat-of-mine" }));',
      'app.use(cookieParser("a-fixed-one"));',
      'passport.use(new GoogleStrategy({ clientID: "a", clientSecret: "b-fixed-one" }, cb));',
    ],
    good: ['app.use(session({ secret: process.env.SECRET }));', 'app.use(cookieParser(config.secret));'],
  },
  {
    id: 'security/js-hardcoded-credential',
    severity: 'high',
    cwe: ['CWE-798'],
    message: 'A credential is written in the code',
    advice: 'Take it from the environment or a secret store.',
    keywords: [
      'Sequelize',
      'asic',
      'assword',
      'asswd',
      'assphrase',
      'ecret',
      'oken',
      'piKey',
      'api_key',
      'API_KEY',
      'PASSWORD',
      'SECRET',
      'pwd',
      'pass:',
      'passwd',
      'apiKey',
      'secretAccessKey',
      'privateKey',
      'accessKeyId',
      'authToken',
    ],
    productionOnly: true,
    entries: {
      key: /^(?:password|passwd|pass|secretAccessKey|apiSecret|authToken|clientSecret|passphrase)$/u,
      check: credentialEntry,
    },
    calls: {
      callee: /(?:^|\.)(?:Sequelize|basicAuth|auth\.basic|neo4j\.auth\.basic)$/u,
      check: (call, scene) => {
        const at = call.name === 'Sequelize' ? 2 : 1;
        return call.args.length > at ? literalSecretHit(scene, call.args[at], 3) : null;
      },
    },
    bad: [
      'const dbPassword = "tiger-77-X";',
      'user.secret = "Tiger77";',
      'mysql.createConnection({ host: "db", user: "app", password: "tiger-77" });',
      'new Sequelize("db", "app", "tiger-77");',
      'nodemailer.createTransport({ auth: { user: "a", pass: "tiger-77" } });',
    ],
    good: [
      'mysql.createConnection({ host: "db", password: process.env.PW });',
      'const labels = { password: "Password" };',
      'const resetPassword = "reset-password";',
      'x.password = "#password1";',
      'const apiKey = "";',
      'const field = { name: "password", type: "password", password: "Your-password" };',
    ],
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
  {
    id: 'security/js-secret-in-log',
    severity: 'medium',
    cwe: ['CWE-532'],
    message: 'A credential is written to a log',
    advice: 'Leave it out, or log a mask of it.',
    keywords: ['console.', 'logger', 'log.'],
    calls: {
      callee: /^(?:console|logger|log|winston|pino|this\.logger)\.(?:log|info|warn|error|debug|trace)$/u,
      check: (call) => {
        for (const arg of call.args) {
          if (/^(?:identifier|member_expression)$/u.test(arg.kind().toString()) && SECRET_VALUE.test(arg.text()))
            return { confidence: 'medium' };
          const inside =
            arg.kind() === 'template_string'
              ? arg.children().filter((c) => c.kind() === 'template_substitution')
              : arg.kind() === 'binary_expression'
                ? arg.namedChildren()
                : [];
          if (inside.some((part) => SECRET_VALUE.test(part.text().replace(/^\$\{\s*|\s*\}$/gu, ''))))
            return { confidence: 'medium' };
        }
        return null;
      },
    },
    bad: ['console.log("pw", user.password);', 'logger.info(`got ${accessToken}`);', 'console.log("key " + apiKey);'],
    good: [
      'console.log("password changed");',
      'logger.info(tokenCount);',
      'console.log(password.length);',
      'console.log(`${passwordField} is missing`);',
    ],
  },
];

const SECRET_VALUE =
  /^(?:[\w.]+\.)?(?:\w*_)?(?:password|passwd|passphrase|client_?secret|api_?secret|api_?key|access_?token|auth_?token|refresh_?token|private_?key|secret_?key|\w+(?:Password|AccessToken|AuthToken|ApiKey|PrivateKey|SecretKey))$/iu;
