import { literalSecretHit, looksLikePlaceholder, stringValue } from './checks.ts';
import type { Assignment, Entry, Hit, Scene, SecurityRule } from './rule.ts';

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

const SECRET_VALUE =
  /^(?:[\w.]+\.)?(?:\w*_)?(?:password|passwd|passphrase|client_?secret|api_?secret|api_?key|access_?token|auth_?token|refresh_?token|private_?key|secret_?key|\w+(?:Password|AccessToken|AuthToken|ApiKey|PrivateKey|SecretKey))$/iu;

/** Rules on credentials that are written in code or in logs. */
export const jsCredentialRules: readonly SecurityRule[] = [
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
    assigns: { name: CREDENTIAL_NAME, check: credentialAssignment },
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
