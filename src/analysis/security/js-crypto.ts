import type { SgNode } from '@ast-grep/napi';
import { functionText, isFalsy, literalSecretHit, purposeOf, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const SECRET_NAME =
  /token|passw|secret|session|nonce|salt|otp|csrf|api_?key|\bkey\b|auth|credential|pin_?code|verification|reset|\biv\b|uuid|sessid|cookie|sid\b/iu;
const HARMLESS_HASH_USE =
  /etag|cache|checksum|fingerprint|dedup|gravatar|content_?hash|file_?hash|short_?hash|integrity|color|sha1sum|md5sum|revision/iu;

function weakHash(call: Call, scene: Scene): Hit | null {
  const name = stringValue(scene, call.args[0]);
  if (name === null || !/^(?:md[245]|sha-?1|ripemd160|rsa-(?:md5|sha1))$/iu.test(name)) return null;
  const use = `${purposeOf(call.node)} ${call.node.parent()?.parent()?.text().slice(0, 200) ?? ''}`;
  return HARMLESS_HASH_USE.test(use) ? null : { confidence: SECRET_NAME.test(use) ? 'high' : 'medium' };
}

const COMPARED_SECRET =
  /(?:^|[._])(?:password|passwd|secret|token|api_?key|hmac|signature|auth_?token|csrf_?token|client_?secret|password_?hash)$|[a-z](?:Password|Secret|Token|ApiKey|Signature|Hmac|Mac)$|(?:hmac|Hmac)\w*\.digest$/iu;

/** A password or key compared with a text that is written in the code. */
function comparesWithLiteral(sides: readonly (SgNode | null)[]): boolean {
  const literal = sides.find((side) => side?.kind() === 'string')?.text() ?? '';
  return (
    literal.length > 4 &&
    sides.some((side) => /(?:^|\.)(?:password|passwd|passphrase|apiKey|api_key|secret)$/iu.test(side?.text() ?? ''))
  );
}

function comparesSecret(node: SgNode): Hit | null {
  const operator = node.field('operator')?.text();
  if (operator !== '===' && operator !== '==' && operator !== '!==' && operator !== '!=') return null;
  const sides = [node.field('left'), node.field('right')];
  if (comparesWithLiteral(sides)) return { confidence: 'low', detail: 'the expected value is written in the code' };
  const isLiteral = sides.some(
    (side) =>
      side === null ||
      /^(?:string|number|null|undefined|true|false|template_string|unary_expression|object|array)$/u.test(side.kind().toString()),
  );
  if (isLiteral || sides.some((side) => /\.length$|typeof|^(?:undefined|null)$/u.test(side?.text() ?? ''))) return null;
  const secret = sides.some((side) => COMPARED_SECRET.test((side?.text() ?? '').replace(/\(.*\)$/su, '')));
  if (!secret || sides.some((side) => /(?:type|kind|name|count|index|id|TokenType|\.kind)$/iu.test(side?.text() ?? '')))
    return null;
  return { confidence: 'low' };
}

/** Rules on hashes, ciphers, randomness, tokens. */
export const jsCryptoRules: readonly SecurityRule[] = [
  {
    id: 'security/js-weak-hash',
    severity: 'medium',
    cwe: ['CWE-328'],
    message: 'A broken hash (MD5, SHA-1 or older) is used',
    advice: 'Use SHA-256; for passwords use scrypt or argon2.',
    keywords: ['createHash', 'createHmac', 'createSign', 'CryptoJS', 'md5', 'sha1', 'jssha', 'MD5', 'SHA-1'],
    calls: {
      callee:
        /(?:^|\.)(?:createHash|createHmac|createSign|createVerify)$|^(?:crypto-js|CryptoJS)(?:\.(?:MD5|SHA1|HmacMD5|HmacSHA1))$|^(?:md5|sha1|blueimp-md5|js-md5|js-sha1)$|^crypto\.subtle\.digest$|^(?:jssha|jsSHA)$/u,
      check: (call, scene) => {
        if (/MD5$|SHA1$/u.test(call.callee)) return { confidence: 'medium' };
        if (/^(?:md5|sha1|blueimp-md5|js-md5|js-sha1)$/u.test(call.callee)) {
          return HARMLESS_HASH_USE.test(purposeOf(call.node))
            ? null
            : { confidence: SECRET_NAME.test(call.node.text()) ? 'high' : 'low' };
        }
        return weakHash(call, scene);
      },
    },
    bad: [
      'crypto.createHash("md5").update(password).digest("hex");',
      'const { createHash } = require("crypto"); const h = createHash("sha1");',
      'CryptoJS.MD5(x);',
    ],
    good: [
      'crypto.createHash("sha256");',
      'const etag = crypto.createHash("sha1").update(body).digest("hex");',
      'crypto.createHash(algorithm);',
    ],
  },
  {
    id: 'security/js-weak-cipher',
    severity: 'high',
    cwe: ['CWE-327'],
    message: 'A weak cipher or mode is used, or one whose key is made without salt',
    advice: 'Use createCipheriv with aes-256-gcm and a random nonce.',
    keywords: ['createCipher', 'createDecipher', 'CryptoJS', 'DES', 'RC4'],
    calls: {
      callee:
        /(?:^|\.)(?:createCipher|createDecipher|createCipheriv|createDecipheriv)$|^(?:crypto-js|CryptoJS)\.(?:DES|TripleDES|RC4|Rabbit)\.(?:en|de)crypt$/u,
      check: (call, scene) => {
        if (!call.name.endsWith('iv')) return { confidence: 'high' };
        const name = stringValue(scene, call.args[0]) ?? '';
        return /^(?:des|rc[24]|bf|idea|seed|cast)|-ecb\b|3des/iu.test(name) ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'crypto.createCipher("aes192", pw);',
      'crypto.createCipheriv("des-ede3-cbc", k, iv);',
      'crypto.createCipheriv("aes-128-ecb", k, null);',
      'CryptoJS.DES.encrypt(a, b);',
    ],
    good: ['crypto.createCipheriv("aes-256-gcm", k, iv);'],
  },
  {
    id: 'security/js-gcm-no-tag-length',
    severity: 'low',
    cwe: ['CWE-310'],
    message: 'A GCM cipher is decrypted without a set tag length: short tags are accepted',
    advice: 'Pass { authTagLength: 16 }, and set the tag before decrypting.',
    keywords: ['gcm', 'GCM'],
    calls: {
      callee: /(?:^|\.)createDecipheriv$/u,
      check: (call, scene) =>
        /-gcm$/iu.test(stringValue(scene, call.args[0]) ?? '') && call.args.length < 4 ? { confidence: 'medium' } : null,
    },
    bad: ['crypto.createDecipheriv("aes-256-gcm", k, iv);'],
    good: [
      'crypto.createDecipheriv("aes-256-gcm", k, iv, { authTagLength: 16 });',
      'crypto.createDecipheriv("aes-256-cbc", k, iv);',
    ],
  },
  {
    id: 'security/js-fixed-iv-or-key',
    severity: 'high',
    cwe: ['CWE-329', 'CWE-321'],
    message: 'A cipher or HMAC uses a key or nonce that is written in the code',
    advice: 'Take the key from configuration; make the nonce with randomBytes each time.',
    keywords: ['createHmac', 'Cipheriv', 'Decipheriv', 'pbkdf2', 'scrypt'],
    calls: {
      callee: /(?:^|\.)(?:createHmac|createCipheriv|createDecipheriv)$/u,
      check: (call, scene) =>
        literalSecretHit(scene, call.args[1], 4) ??
        bufferSecret(call.args[1], scene) ??
        (call.name === 'createCipheriv' ? (literalSecretHit(scene, call.args[2], 4) ?? bufferSecret(call.args[2], scene)) : null),
    },
    bad: [
      'crypto.createHmac("sha256", "a fixed key of mine");',
      'const K = "0123abcd0123abcd"; crypto.createCipheriv("aes-128-gcm", K, iv);',
      'crypto.createCipheriv("aes-128-cbc", key, Buffer.from("0000111122223333"));',
    ],
    good: ['crypto.createHmac("sha256", process.env.KEY);', 'crypto.createCipheriv("aes-128-gcm", key, crypto.randomBytes(12));'],
  },
  {
    id: 'security/js-insecure-random',
    severity: 'medium',
    cwe: ['CWE-338'],
    message: 'A secret value is made with a predictable random source',
    advice: 'Use crypto.randomBytes or crypto.randomUUID.',
    keywords: ['Math.random', 'pseudoRandomBytes'],
    calls: {
      callee: /^Math\.random$|(?:^|\.)pseudoRandomBytes$/u,
      check: (call) => {
        if (call.name === 'pseudoRandomBytes') return { confidence: 'high' };
        const around = call.node.ancestors().find((a) => /declarator|assignment|pair|return/u.test(a.kind().toString()));
        const use = `${purposeOf(call.node)} ${around?.kind() === 'return_statement' ? purposeOf(around) : ''}`.replace(
          /([a-z])([A-Z])/gu,
          '$1_$2',
        );
        return SECRET_NAME.test(use) ? { confidence: 'medium' } : null;
      },
    },
    bad: [
      'const token = Math.random().toString(36);',
      'function makePassword() { return Math.random().toString(36); }',
      'crypto.pseudoRandomBytes(16);',
      'const o = { sessionId: "s" + Math.random() };',
    ],
    good: ['const x = Math.random();', 'const delay = Math.random() * 100;', 'const token = crypto.randomBytes(16);'],
  },
  {
    id: 'security/js-jwt-unverified',
    severity: 'high',
    cwe: ['CWE-347'],
    message: 'A token is accepted without a check of its signature',
    advice: 'Use jwt.verify with the list of allowed algorithms.',
    keywords: ['jwt', 'jsonwebtoken', 'JWT', 'jose', 'decode'],
    calls: {
      callee:
        /^(?:jsonwebtoken|jwt|jwt-simple|JWT|jose\.JWT|jose|jwt-decode)(?:\.(?:decode|verify|sign|decodeJwt|unsecured))?$|^jose\.UnsecuredJWT\.\w+$/u,
      check: (call, scene) => {
        const algorithms = call.option('algorithms') ?? call.option('algorithm') ?? call.option('alg');
        if (algorithms !== null && /['"`]none['"`]/iu.test(algorithms.text()))
          return { confidence: 'high', detail: 'algorithm none' };
        if (call.args.some((arg) => /^['"]none['"]$|\bJWK\.None$/iu.test(arg.text())))
          return { confidence: 'high', detail: 'algorithm none' };
        if (call.callee === 'jwt-simple.decode') return isTruthyText(call.args[2]) ? { confidence: 'high' } : null;
        if (call.name === 'verify' && (isFalsy(call.args[1] ?? null) || stringValue(scene, call.args[1]) === ''))
          return { confidence: 'high', detail: 'no key' };
        if (call.name !== 'decode' || /jose\.JWT/u.test(call.callee)) return null;
        return /\b(?:jwt|jsonwebtoken|JWT)\w*\.verify\(|\bverify\(/u.test(scene.text) &&
          /verify\(/u.test(functionText(call.node, scene))
          ? null
          : { confidence: 'medium' };
      },
    },
    bad: [
      'const jwt = require("jsonwebtoken"); const u = jwt.decode(token);',
      'import jwt from "jsonwebtoken"; jwt.verify(t, key, { algorithms: ["none", "HS256"] });',
      'const jwt = require("jsonwebtoken"); jwt.sign(p, "", { algorithm: "none" });',
      'const jwt = require("jwt-simple"); jwt.decode(t, key, true);',
    ],
    good: [
      'const jwt = require("jsonwebtoken"); jwt.verify(t, key, { algorithms: ["HS256"] });',
      'const jwt = require("jwt-simple"); jwt.decode(t, key);',
      'function f(t) { const x = jwt.decode(t, { complete: true }); return jwt.verify(t, keys[x.header.kid]); }',
    ],
  },
  {
    id: 'security/js-jwt-hardcoded-secret',
    severity: 'high',
    cwe: ['CWE-798'],
    message: 'Tokens are signed or checked with a secret that is written in the code',
    advice: 'Take the secret from the environment or a secret store.',
    keywords: ['jwt', 'jsonwebtoken', 'JWT', 'jose', 'secretOrKey', 'JWK'],
    productionOnly: true,
    calls: {
      callee:
        /^(?:jsonwebtoken|jwt|jwt-simple|JWT|jose\.JWT)\.(?:sign|verify|encode|decode)$|^(?:express-jwt|jwt|expressJwt|koa-jwt)(?:\.expressjwt)?$|^jose\.JWK\.asKey$|^(?:\w+\.)?(?:JwtStrategy|JWTStrategy|Strategy|SignJWT)$/u,
      check: (call, scene) => {
        const value = /^(?:sign|verify|encode|decode)$/u.test(call.name)
          ? call.args[1]
          : call.name === 'asKey'
            ? call.args[0]
            : (call.option('secret') ?? call.option('secretOrKey') ?? call.option('clientSecret'));
        return literalSecretHit(scene, value, 1);
      },
    },
    bad: [
      'const jwt = require("jsonwebtoken"); jwt.sign({ a: 1 }, "my-own-key-123");',
      'const K = "abc-def-ghi"; const jwt = require("jsonwebtoken"); jwt.verify(t, K);',
      'const jwt = require("express-jwt"); app.use(jwt({ secret: "s3cr3t-value" }));',
    ],
    good: ['const jwt = require("jsonwebtoken"); jwt.sign(a, process.env.JWT_SECRET);', 'jwt.verify(t, config.key);'],
  },
  {
    id: 'security/js-timing-comparison',
    severity: 'low',
    cwe: ['CWE-208'],
    message: 'A secret is compared by an operator whose time tells how much of it matched',
    advice: 'Use crypto.timingSafeEqual over buffers of one length.',
    keywords: ['assword', 'ecret', 'oken', 'ignature', 'igest', 'hmac', 'Hmac', 'hash', 'apiKey', 'auth'],
    nodes: { kinds: ['binary_expression'], check: (node) => comparesSecret(node) },
    bad: [
      'if (password == "tiger-1") ok();',
      'if (req.headers.token === expected) ok();',
      'function f(password) { return user.password == password; }',
      'if (signature !== computedHmac) fail();',
    ],
    good: [
      'if (password === "") f();',
      'if (type === "password") f();',
      'if (token === null) f();',
      'if (token.type === tokenType) f();',
      'if (a === b) f();',
      'if (secret.length !== n) f();',
    ],
  },
  {
    id: 'security/js-weak-password-hash',
    severity: 'medium',
    cwe: ['CWE-916'],
    message: 'A password hash is too fast to withstand guessing',
    advice: 'Use argon2id, scrypt, or PBKDF2 with 600,000 rounds.',
    keywords: ['pbkdf2', 'bcrypt', 'argon2', 'genSalt'],
    calls: {
      callee: /(?:^|\.)(?:pbkdf2|pbkdf2Sync)$|^bcrypt(?:js)?\.(?:hash|hashSync|genSalt|genSaltSync)$|^argon2\.hash$/u,
      check: (call) => {
        if (call.callee === 'argon2.hash')
          return /argon2[di]$/u.test(call.option('type')?.text() ?? '') ? { confidence: 'high' } : null;
        const at = call.name.startsWith('pbkdf2') ? 2 : call.name.startsWith('genSalt') ? 0 : 1;
        const rounds = Number((call.args[at]?.text() ?? '').replaceAll('_', ''));
        return Number.isNaN(rounds) || call.args[at] === undefined
          ? null
          : rounds < (at === 2 ? 10_000 : 8)
            ? { confidence: 'high' }
            : null;
      },
    },
    bad: [
      'crypto.pbkdf2Sync(p, s, 1000, 32, "sha256");',
      'const bcrypt = require("bcrypt"); bcrypt.hash(p, 4);',
      'const argon2 = require("argon2"); argon2.hash(p, { type: argon2.argon2d });',
    ],
    good: [
      'crypto.pbkdf2Sync(p, s, 600_000, 32, "sha256");',
      'const bcrypt = require("bcrypt"); bcrypt.hash(p, 12);',
      'argon2.hash(p, { type: argon2.argon2id });',
    ],
  },
  {
    id: 'security/js-password-in-token',
    severity: 'medium',
    cwe: ['CWE-522'],
    message: 'A password is put into a token that its holder can read',
    advice: 'Put an identifier into the token, no credentials.',
    keywords: ['sign('],
    calls: {
      callee: /^(?:jsonwebtoken|jwt|JWT|jose\.JWT)\.sign$/u,
      check: (call, scene) => {
        const [payload] = call.args;
        if (payload === undefined) return null;
        const known = scene.definition(payload);
        return known.kind() === 'object' && /\bpassw(?:or)?d\b/iu.test(known.text()) ? { confidence: 'medium' } : null;
      },
    },
    bad: ['jwt.sign({ name: u.name, password: u.password }, key);'],
    good: ['jwt.sign({ id: u.id }, key);'],
  },
];

function isTruthyText(node: SgNode | undefined): boolean {
  return node !== undefined && node.text() === 'true';
}

function bufferSecret(node: SgNode | undefined, scene: Scene): Hit | null {
  if (node === undefined) return null;
  const call = scene.call(scene.definition(node));
  if (call === null) return null;
  if (call.callee === 'Buffer.from') return literalSecretHit(scene, call.args[0], 4);
  return call.callee === 'Buffer.alloc' ? { confidence: 'medium' } : null;
}
