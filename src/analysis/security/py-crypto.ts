import { isFalsy, literalSecretHit, looksLikePlaceholder, purposeOf, stringValue } from './checks.ts';
import type { Hit, SecurityRule } from './rule.ts';

const SECRET_NAME =
  /token|passw|secret|session|nonce|salt|otp|csrf|api_?key|\bkey\b|_key|auth|credential|pin|verification|reset_?code|iv\b/iu;
const HARMLESS_HASH_USE = /etag|cache|checksum|fingerprint|dedup|gravatar|content_?hash|file_?hash|short|color|revision/iu;

function credentialText(value: string): boolean {
  return value.length >= 3 && !looksLikePlaceholder(value) && !/\s/u.test(value);
}

const CREDENTIAL_NAME =
  /^(?:\w*_)?(?:password|passwd|pwd|secret|secret_?key|api_?key|apikey|auth_?token|access_?token|private_?key|client_?secret|secret_?access_?key|aws_secret_access_key|aws_session_token|auth_?key|encryption_?key|passphrase)$/iu;

/** Rules on hashes, ciphers, randomness, certificates, tokens and credentials. */
export const pyCryptoRules: readonly SecurityRule[] = [
  {
    id: 'security/py-weak-hash',
    severity: 'medium',
    cwe: ['CWE-328'],
    message: 'A broken hash (MD5, SHA-1 or older) is used',
    advice: 'Use SHA-256, or pass usedforsecurity=False where nothing depends on it.',
    keywords: ['md5', 'sha1', 'MD5', 'SHA1', 'SHA', 'md4', 'MD2', 'MD4', 'hashlib'],
    calls: {
      callee:
        /^hashlib\.(?:md5|sha1|new|sha)$|^(?:Crypto|Cryptodome)\.Hash\.(?:MD5|MD4|MD2|SHA|SHA1)\.new$|^cryptography\.hazmat\.primitives\.hashes\.(?:MD5|SHA1)$|^(?:md5|sha)\.new$|^hashes\.(?:MD5|SHA1)$/u,
      check: (call, scene) => {
        if (isFalsy(call.option('usedforsecurity'))) return null;
        if (
          call.callee === 'hashlib.new' &&
          !/^(?:md[245]|sha-?1?)$/iu.test(stringValue(scene, call.args[0] ?? call.option('name')) ?? '')
        )
          return null;
        const use = `${purposeOf(call.node)} ${call.node.parent()?.parent()?.text().slice(0, 200) ?? ''}`;
        return HARMLESS_HASH_USE.test(use) ? null : { confidence: SECRET_NAME.test(use) ? 'high' : 'medium' };
      },
    },
    bad: [
      'import hashlib\nhashlib.md5(password)\n',
      'from hashlib import sha1\nh = sha1()\n',
      'import hashlib\nhashlib.new("md5")\n',
      'from cryptography.hazmat.primitives import hashes\nhashes.SHA1()\n',
    ],
    good: [
      'import hashlib\nhashlib.sha256(b)\n',
      'import hashlib\nhashlib.md5(b, usedforsecurity=False)\n',
      'import hashlib\netag = hashlib.md5(b).hexdigest()\n',
    ],
  },
  {
    id: 'security/py-weak-cipher',
    severity: 'high',
    cwe: ['CWE-327'],
    message: 'A weak cipher or mode is used',
    advice: 'Use AES-GCM or ChaCha20-Poly1305.',
    keywords: ['DES', 'ARC', 'Blowfish', 'ECB', 'IDEA', 'XOR', 'CAST'],
    calls: {
      callee:
        /^(?:Crypto|Cryptodome)\.Cipher\.(?:DES3?|ARC2|ARC4|Blowfish|XOR|CAST)\.new$|^cryptography\.hazmat\.primitives\.ciphers\.(?:algorithms\.(?:ARC4|Blowfish|IDEA|CAST5|SEED|TripleDES)|modes\.ECB)$|^(?:algorithms\.(?:ARC4|Blowfish|IDEA|CAST5|TripleDES)|modes\.ECB)$|^(?:Crypto|Cryptodome)\.Cipher\.AES\.new$/u,
      check: (call) => {
        if (!call.callee.endsWith('AES.new')) return { confidence: 'high' };
        if (/^b?["']{2}$/u.test(call.args[0]?.text() ?? '')) return { confidence: 'high', detail: 'an empty key' };
        const mode = call.option('mode') ?? call.args[1];
        return mode !== undefined && /MODE_ECB/u.test(mode.text()) ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'from Crypto.Cipher import DES\nDES.new(k)\n',
      'from Crypto.Cipher import AES\nAES.new(k, AES.MODE_ECB)\n',
      'from cryptography.hazmat.primitives.ciphers import modes, Cipher\nCipher(a, modes.ECB())\n',
    ],
    good: ['from Crypto.Cipher import AES\nAES.new(k, AES.MODE_GCM)\n'],
  },
  {
    id: 'security/py-unauthenticated-cipher',
    severity: 'low',
    cwe: ['CWE-353', 'CWE-327'],
    message: 'A cipher mode without authentication is used: changes of the data are not noticed',
    advice: 'Use an authenticated mode such as GCM.',
    keywords: ['modes', 'MODE_CBC'],
    calls: {
      callee: /^cryptography\.hazmat\.primitives\.ciphers\.modes\.(?:CBC|CTR|CFB|OFB)$|^modes\.(?:CBC|CTR|CFB|OFB)$/u,
      check: (_call, scene) => (/hmac|HMAC/u.test(scene.text) ? null : { confidence: 'low' }),
    },
    bad: ['from cryptography.hazmat.primitives.ciphers import modes\nm = modes.CBC(iv)\n'],
    good: ['from cryptography.hazmat.primitives.ciphers import modes\nm = modes.GCM(iv)\n'],
  },
  {
    id: 'security/py-short-key',
    severity: 'medium',
    cwe: ['CWE-326'],
    message: 'A key is too short to withstand attacks',
    advice: 'Use RSA of at least 2048 bits, or a curve of 256 bits.',
    keywords: ['generate', 'SECP', 'SECT', 'generate_private_key'],
    calls: {
      callee:
        /(?:^|\.)(?:rsa|dsa)\.generate_private_key$|(?:^|\.)(?:RSA|DSA)\.generate$|(?:^|\.)ec\.(?:SECP192R1|SECT163K1|SECT163R2)$|(?:^|\.)ec\.generate_private_key$/u,
      check: (call) => {
        if (/ec\.SEC/u.test(call.callee)) return { confidence: 'high' };
        if (call.callee.endsWith('ec.generate_private_key')) return null;
        const size = Number(
          (
            call.option('key_size') ??
            call.option('bits') ??
            (call.name === 'generate' ? call.args[0] : call.args.find((a) => /^\d{3,4}$/u.test(a.text())))
          )?.text() ?? 'x',
        );
        return size < 2048 ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'from cryptography.hazmat.primitives.asymmetric import rsa\nrsa.generate_private_key(public_exponent=65537, key_size=1024)\n',
      'from Crypto.PublicKey import RSA\nRSA.generate(1024)\n',
    ],
    good: ['from Crypto.PublicKey import RSA\nRSA.generate(4096)\n'],
  },
  {
    id: 'security/py-insecure-random',
    severity: 'medium',
    cwe: ['CWE-330', 'CWE-338'],
    message: 'A secret value is made with a predictable random source',
    advice: 'Use the module secrets.',
    keywords: ['random', 'uuid1'],
    calls: {
      callee: /^random\.(?:random|randint|randrange|choice|choices|sample|getrandbits|uniform|shuffle|randbytes)$|^uuid\.uuid1$/u,
      check: (call) => {
        const loop = call.node
          .ancestors()
          .slice(0, 6)
          .find((a) => /comprehension|generator/u.test(a.kind().toString()));
        const around = call.node.ancestors().find((a) => a.kind() === 'return_statement');
        const use = `${purposeOf(loop ?? call.node)} ${around === undefined ? '' : purposeOf(around)}`;
        if (call.name === 'uuid1') return { confidence: 'low' };
        return SECRET_NAME.test(use) ? { confidence: 'medium' } : null;
      },
    },
    bad: [
      'import random\ntoken = random.randint(0, 9999)\n',
      'import random\ndef make_password():\n    return "".join(random.choice(A) for _ in range(9))\n',
      'from random import getrandbits\nsession_key = getrandbits(64)\n',
    ],
    good: ['import random\nx = random.random()\n', 'import secrets\ntoken = secrets.token_hex()\n'],
  },
  {
    id: 'security/py-tls-verification-off',
    severity: 'high',
    cwe: ['CWE-295'],
    message: 'Certificates of the other side are not checked',
    advice: 'Leave the check on, and pass the missing authority.',
    keywords: ['verify', 'unverified', 'CERT_NONE', 'check_hostname', 'cert_reqs', 'ssl'],
    productionOnly: true,
    calls: {
      callee:
        /^(?:requests|httpx|aiohttp)\.\w+$|^(?:requests\.)?(?:Session|session|client|s|sess|http|self\.session|self\.client|httpx\.\w+|requests\.\w+\(\))\.(?:get|post|put|delete|head|patch|options|request|send)$|^ssl\._create_unverified_context$|^ssl\.wrap_socket$|^urllib3\.\w+$|^aiohttp\.TCPConnector$/u,
      check: (call) => {
        if (call.name === '_create_unverified_context') return { confidence: 'high' };
        if (call.callee === 'ssl.wrap_socket') return { confidence: 'medium' };
        if (call.option('verify')?.text() === 'False') return { confidence: 'high' };
        if (
          call.option('verify_ssl')?.text() === 'False' ||
          (call.name === 'TCPConnector' && call.option('ssl')?.text() === 'False')
        )
          return { confidence: 'high' };
        return /CERT_NONE/u.test(call.option('cert_reqs')?.text() ?? '') ? { confidence: 'high' } : null;
      },
    },
    assigns: {
      name: /^(?:verify|check_hostname|verify_mode|_create_default_https_context)$/u,
      check: ({ name, value, target }) => {
        if (name === '_create_default_https_context') return /unverified/u.test(value.text()) ? { confidence: 'high' } : null;
        if (name === 'verify_mode') return /CERT_NONE/u.test(value.text()) ? { confidence: 'high' } : null;
        return target.includes('.') && value.text() === 'False' ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'import requests\nrequests.get(u, verify=False)\n',
      'import ssl\nctx = ssl._create_unverified_context()\n',
      'import ssl\nssl._create_default_https_context = ssl._create_unverified_context\n',
      'ctx.verify_mode = ssl.CERT_NONE\n',
      'session.verify = False\n',
    ],
    good: [
      'import requests\nrequests.get(u, verify=True)\n',
      'verify = False\n',
      'import ssl\nctx = ssl.create_default_context()\n',
    ],
  },
  {
    id: 'security/py-weak-tls-version',
    severity: 'medium',
    cwe: ['CWE-326'],
    message: 'A broken version of TLS or SSL is allowed',
    advice: 'Use ssl.create_default_context, which requires TLS 1.2.',
    keywords: ['PROTOCOL_', 'SSLv', 'TLSv1'],
    nodes: {
      kinds: ['attribute'],
      check: (node) =>
        /(?:^|\.)(?:PROTOCOL_(?:SSLv2|SSLv3|TLSv1|TLSv1_1)|SSLv2_METHOD|SSLv3_METHOD|TLSv1_METHOD|TLSv1_1_METHOD|SSLv23_METHOD)$|TLSVersion\.(?:SSLv3|TLSv1|TLSv1_1)$/u.test(
          node.text(),
        )
          ? { confidence: 'high' }
          : null,
    },
    bad: ['import ssl\nssl.SSLContext(ssl.PROTOCOL_SSLv3)\n', 'c.minimum_version = ssl.TLSVersion.TLSv1\n'],
    good: ['import ssl\nssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n', 'c.minimum_version = ssl.TLSVersion.TLSv1_2\n'],
  },
  {
    id: 'security/py-jwt-unverified',
    severity: 'high',
    cwe: ['CWE-347'],
    message: 'A token is accepted without a check of its signature',
    advice: 'Pass the key and the list of allowed algorithms.',
    keywords: ['jwt', 'jose'],
    calls: {
      callee: /^(?:jwt|jose\.jwt|python_jwt|jose)\.(?:decode|encode|process_jwt|get_unverified_claims)$/u,
      check: (call) => {
        if (/^(?:process_jwt|get_unverified_claims)$/u.test(call.name)) return { confidence: 'medium' };
        const algorithm =
          call.option('algorithms') ?? call.option('algorithm') ?? (call.name === 'encode' ? call.args[2] : undefined);
        if (algorithm !== undefined && algorithm !== null && /["']none["']/iu.test(algorithm.text()))
          return { confidence: 'high', detail: 'algorithm none' };
        if (isFalsy(call.option('verify')) || /verify_signature["']?\s*[:=]\s*False/u.test(call.option('options')?.text() ?? ''))
          return { confidence: 'high' };
        return call.name === 'decode' && call.args[2]?.text() === 'False' ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'import jwt\njwt.decode(t, k, verify=False)\n',
      'import jwt\njwt.decode(t, options={"verify_signature": False})\n',
      'import jwt\njwt.encode(p, None, algorithm="none")\n',
    ],
    good: ['import jwt\njwt.decode(t, k, algorithms=["HS256"])\n'],
  },
  {
    id: 'security/py-hardcoded-credential',
    severity: 'high',
    cwe: ['CWE-798', 'CWE-259'],
    message: 'A credential is written in the code',
    advice: 'Take it from the environment or a secret store.',
    keywords: ['password', 'passwd', 'secret', 'SECRET', 'PASSWORD', 'api_key', 'API_KEY', 'token', 'TOKEN', 'pwd', 'jwt'],
    productionOnly: true,
    entries: {
      key: /^(?:password|passwd|pwd|secret|secret_key|api_key|apikey|auth_token|access_token|client_secret|aws_secret_access_key|aws_session_token|SECRET_KEY|JWT_SECRET_KEY|PASSWORD|passphrase)$/u,
      check: ({ node, value, key }, scene) => {
        const text = stringValue(scene, value);
        if (text === null || !credentialText(text) || text === key) return null;
        const siblings = node.parent()?.text() ?? '';
        if (node.kind() === 'pair' && !/host|user|name|database|port|SECRET_KEY|client_id/iu.test(siblings)) return null;
        if (/\b(?:type|label|help_text|widget|placeholder|required)\b/u.test(siblings)) return null;
        return { confidence: value.kind() === 'string' ? 'high' : 'medium', secret: text };
      },
    },
    assigns: {
      name: CREDENTIAL_NAME,
      check: ({ value, target, name }, scene) => {
        const text = value.kind() === 'string' ? stringValue(scene, value) : null;
        if (text === null || !credentialText(text) || text.toLowerCase() === name.toLowerCase()) return null;
        const strict = /config|settings|app\.|^[A-Z_]+$|secret_key/u.test(target);
        const looksWord = /^[a-z]+(?:[_-][a-z]+)*$/u.test(text) && text.length > 3 && !strict;
        return looksWord || /^(?:https?:|\/|\.)/u.test(text)
          ? null
          : { confidence: strict && text.length >= 6 ? 'high' : 'medium', secret: text };
      },
    },
    nodes: {
      kinds: ['default_parameter', 'typed_default_parameter'],
      check: (node, scene) => {
        if (!CREDENTIAL_NAME.test(node.field('name')?.text() ?? '')) return null;
        const value = node.field('value');
        const text = value?.kind() === 'string' ? stringValue(scene, value) : null;
        return text !== null && credentialText(text) ? { confidence: 'low', secret: text } : null;
      },
    },
    calls: {
      callee: /^(?:jwt|jose\.jwt)\.(?:encode|decode)$|^(?:requests\.auth\.)?HTTPBasicAuth$/u,
      check: (call, scene) => literalSecretHit(scene, call.args[1] ?? call.option('key'), 1),
    },
    bad: [
      'SECRET_KEY = "abc-123-def-456"\n',
      'connect(host="db", password="tiger77x")\n',
      'app.config["SECRET_KEY"] = "dev-99-x1"\n',
      'import jwt\njwt.encode(p, "my-own-key1")\n',
      'def login(user, password="Tiger1"):\n    pass\n',
      'import boto3\nboto3.client("s3", aws_secret_access_key="zzzZZZ0000+abc")\n',
    ],
    good: [
      'SECRET_KEY = os.environ["SECRET_KEY"]\n',
      'password = getpass()\n',
      'password = ""\n',
      'api_key = "your-api-key"\n',
      'connect(password=pw)\n',
      'PASSWORD_FIELD = "abc"\n',
    ],
  },
  {
    id: 'security/py-secret-in-log',
    severity: 'medium',
    cwe: ['CWE-532'],
    message: 'A credential is written to a log',
    advice: 'Leave it out, or log a mask of it.',
    keywords: ['log', 'print('],
    calls: {
      callee:
        /^(?:logging|logger|log|LOG|LOGGER|self\.logger|self\.log|_logger|app\.logger|current_app\.logger)\.(?:debug|info|warning|warn|error|critical|exception|log)$|^print$/u,
      check: (call) => {
        const names = call.args.flatMap((arg) =>
          /^(?:identifier|attribute)$/u.test(arg.kind().toString())
            ? [arg.text()]
            : arg
                .findAll({ rule: { any: [{ kind: 'interpolation' }, { kind: 'identifier' }, { kind: 'attribute' }] } })
                .map((n) => n.text().replace(/^\{|\}$/gu, '')),
        );
        const told = call.args.some((arg) => LOGGED_TEXT.test(arg.text()));
        const hit: Hit | null =
          names.some((name) => LOGGED.test(name)) || (told && call.args.length + names.length > 1)
            ? { confidence: 'medium' }
            : null;
        const hashed = /\b(?:len|hash|mask|redact|bool|type)\w*\(|\*\*\*/iu.test(call.node.text());
        return hashed ? null : hit;
      },
    },
    bad: ['logger.info("pw %s", user.password)\n', 'import logging\nlogging.debug(f"key {api_key}")\n', 'print(secret_key)\n'],
    good: ['logger.info("password changed")\n', 'print(token_count)\n', 'logger.info("len %d", len(password))\n'],
  },
  {
    id: 'security/py-empty-password',
    severity: 'medium',
    cwe: ['CWE-521', 'CWE-258'],
    message: 'A password is set to an empty text',
    advice: 'Use set_unusable_password, or require a password.',
    keywords: ['set_password', 'empty_password', 'validate_password', 'make_password'],
    calls: {
      callee: /\.set_password$/u,
      check: (call, scene) => (stringValue(scene, call.args[0]) === '' ? { confidence: 'high' } : null),
    },
    bad: ['user.set_password("")\n', 'p = ""\nuser.set_password(p)\n'],
    good: ['user.set_password(None)\n', 'user.set_password(p)\n'],
  },
];

const LOGGED_TEXT = /(?:api.?key|secret|credential|token|passw(?:or)?d)s?['"]?\s*(?:is|was)?\s*[:=]?\s*['"]?(?:%[srd]|\{)/iu;
const LOGGED =
  /^(?:[\w.]+\.)?(?:\w*_)?(?:password|passwd|passphrase|client_secret|api_secret|api_?key|access_token|auth_token|refresh_token|private_key|secret_key|secret)$/iu;
