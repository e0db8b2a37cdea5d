import { entropy, isWordLike, whyPlaceholder } from './secrets-shape.ts';
import type { SecretRule } from './secrets-rule.ts';

/** Names whose values are credentials. Used with `i`. */
const SECRET_WORD = String.raw`passw(?:or)?d|passwd|passphrase|\bpwd|secret|token|api[_-]?key|apikey|access[_-]?key|auth[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|client[_-]?secret|credentials?`;
/** Names that only speak of a credential. */
const ABOUT_SECRET =
  /(?:type|url|uri|endpoint|path|file|name|id|field|header|label|regex|pattern|prefix|suffix|length|size|count|limit|ttl|expir\w*|timeout|policy|format|template|title|text|message|error|hint|placeholder|help|description|class|selector|column|table|param|scope|audience|issuer|algorithm|strategy|mode|public|manager|provider|service|store|storage|cache|usage|role|env|var|index|address|mint|symbol|kind|ref|arn|schema|version|hash|salt|input|form|page|route|link|button|icon|color|event|action|handler|callback|validator|rule|key_?name|in|for|at)s?$/iu;

function nameOf(match: string): string {
  return /([\w.-]+)["'\]]*\s*(?:=>|:=|[:=])/u.exec(match)?.[1] ?? '';
}

function isCredentialName(match: string): boolean {
  const name = nameOf(match).replace(/([a-z])([A-Z])/gu, '$1_$2');
  return (
    !ABOUT_SECRET.test(name) &&
    !/(?:^|[_.-])(?:public|csrf|xsrf|is|has|use|needs?|no|enable|disable|show|hide|forgot|reset|pagination|next|page|syntax|lexer|continuation|design|color|cancel\w*)[_.-]/iu.test(
      name,
    )
  );
}

/** Whether a value looks drawn at random: by its entropy and its alphabets, given how strong the name is. */
function isCredentialValue(value: string, isPassword: boolean): boolean {
  if (whyPlaceholder(value) !== null || isWordLike(value)) return false;
  if (/^(?:https?:\/\/|\/|\.{1,2}\/|[A-Z]:\\|data:|urn:|arn:)/u.test(value) || /^\d+(?:\.\d+)*$/u.test(value)) return false;
  if (/^[\w.]+\(|\)$|=>|;$|^\w+(?:\.\w+){1,4}$|^[@#][\w-]+$|^\\/u.test(value)) return false;
  const classes = [/[a-z]/u, /[A-Z]/u, /\d/u, /[^A-Za-z0-9]/u].filter((c) => c.test(value)).length;
  if (isPassword) return value.length >= 8 && classes >= 2 && entropy(value) >= 2.75;
  return value.length >= 16 && classes >= 2 && /\d/u.test(value) && entropy(value) >= 3.2;
}

function acceptsAssignment(secret: string, match: string): boolean {
  return isCredentialName(match) && isCredentialValue(secret, /passw|pwd|passphrase/iu.test(nameOf(match)));
}

const CONFIG_FILE =
  /(?:^|\/)\.env(?:\.[\w.-]+)?$|\.(?:env|ini|cfg|conf|properties|ya?ml|toml|tfvars)$|(?:^|\/)\.?(?:npmrc|pypirc|netrc|pgpass|credentials)$/u;

/** Credentials that have no mark of a service: keys, tokens, passwords in addresses and assignments. */
export const genericSecretRules: readonly SecretRule[] = [
  {
    id: 'secrets/private-key',
    label: 'private key',
    severity: 'critical',
    confidence: 'high',
    keywords: ['PRIVATE KEY'],
    pattern:
      /(-----BEGIN (?:(?:RSA|EC|DSA|OPENSSH|ENCRYPTED|PGP|SSH2 ENCRYPTED) )?PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[A-Za-z0-9+/=\s\\,:"'.()-]){64,}(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?)/gu,
    multiline: true,
    minimumEntropy: 3.5,
    accepts: (secret) => !/\.\.\.|example|xxxx/iu.test(secret) && /[A-Za-z0-9+/=]{40,}/u.test(secret),
    bad: [
      '-----BEGIN RSA {join}PRIVATE KEY-----\n{base64:64}\n{base64:64}\n-----END RSA {join}PRIVATE KEY-----',
      '-----BEGIN OPENSSH {join}PRIVATE KEY-----\n{base64:70}\n{base64:70}\n-----END OPENSSH {join}PRIVATE KEY-----',
      'key = "-----BEGIN EC {join}PRIVATE KEY-----\\n{base64:64}\\n{base64:40}\\n-----END EC {join}PRIVATE KEY-----"',
      '-----BEGIN PGP {join}PRIVATE KEY BLOCK-----\n\n{base64:64}\n{base64:64}\n-----END PGP {join}PRIVATE KEY BLOCK-----',
    ],
    good: [
      '-----BEGIN PUBLIC KEY-----\n{base64:64}\n-----END PUBLIC KEY-----',
      'if (text.includes("-----BEGIN RSA {join}PRIVATE KEY-----")) {',
      '-----BEGIN RSA {join}PRIVATE KEY-----\n...\n-----END RSA {join}PRIVATE KEY-----',
    ],
  },
  {
    id: 'secrets/age-secret-key',
    label: 'age secret key',
    severity: 'critical',
    confidence: 'high',
    keywords: ['AGE-SECRET-KEY-1'],
    pattern: /(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})/gu,
    minimumEntropy: 3.5,
    bad: ['AGE-SECRET{join}-KEY-1{bech32:58}'],
    good: ['AGE-SECRET{join}-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ'],
  },
  {
    id: 'secrets/jwt',
    label: 'JSON Web Token',
    severity: 'high',
    confidence: 'medium',
    keywords: ['eyJ'],
    pattern: /(?<![\w.-])(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})(?![\w-])/gu,
    minimumEntropy: 4,
    accepts: (secret) => !/eyJzdWIiOiIxMjM0NTY3ODkwIi/u.test(secret), // the token of the jwt.io front page
    bad: ['Authorization: Bearer ey{join}Jhbgci{alnum:20}.ey{join}Jzdwi{alnum:40}.{word:42}a'],
    good: ['ey{join}Jhbgci.eyJ.abc', 'ey{join}JhbGciOiJIUzI1NiJ9.ey{join}JzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6.{alnum:43}'],
  },
  {
    id: 'secrets/url-credentials',
    label: 'password in an address',
    severity: 'high',
    confidence: 'medium',
    keywords: ['://'],
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/?#@"'`<>{}$]{0,64}:([^\s:/?#@"'`<>]{3,120})@[\w.-]+/giu,
    accepts: (secret, match) =>
      whyPlaceholder(secret) === null &&
      !/^(?:pass(?:word)?|passwd|pwd|secret|user|admin|root|guest|postgres|mysql|token|key|login|pw|pass1|test\w*|\d{1,5}|\w{1,4})$/iu.test(
        secret,
      ) &&
      !/@(?:localhost|127\.0\.0\.1|host|hostname|server|example\.\w+|[\w-]+\.example(?:\.\w+)?|0\.0\.0\.0|db|database|redis|postgres|mysql|mongo|rabbitmq|proxy)(?:$|[:/])/iu.test(
        match,
      ) &&
      !/[$%{}()\\,;*]/u.test(secret),
    bad: ['postgres://app:{alnum:14}@db.prod.shop.io/main', 'url = "https://u1:{word:15}a@git.shop.io/a.git"'],
    good: [
      'postgres://user:password@localhost/db',
      'redis://:${PW}@cache.shop.io',
      'https://host.io:8080/a@b',
      'amqp://guest:guest@mq.shop.io',
    ],
  },
  {
    id: 'secrets/basic-auth-header',
    label: 'password or token in an Authorization header',
    severity: 'high',
    confidence: 'medium',
    keywords: ['Basic ', 'Bearer ', 'bearer ', 'basic ', 'token '],
    pattern: /authorization["'\]]{0,2}\s*[:=,]\s*["'`]?(?:Basic|Bearer|token)\s+([A-Za-z0-9+/=._~-]{16,})/giu,
    minimumEntropy: 3.3,
    accepts: (secret) => /\d/u.test(secret) && !isWordLike(secret) && !secret.startsWith('eyJ'),
    bad: ['Authorization: Basic {alnum:30}a1==', 'headers: { "Authorization": "Bearer {alnum:40}b2" }'],
    good: ['Authorization: Bearer ${token}', 'Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE'],
  },
  {
    id: 'secrets/generic-credential',
    label: 'credential',
    severity: 'high',
    confidence: 'medium',
    keywords: ['passw', 'passphrase', 'pwd', 'secret', 'token', 'key', 'credential'],
    anyCase: true,
    pattern: new RegExp(
      String.raw`(?:[\w.-]{0,40}(?:${SECRET_WORD})[\w.-]{0,30})["'\]]{0,3}\s{0,20}(?::\s{0,3}(?:str|string|String)\s{0,3}=|=>|:=|[:=])\s{0,20}(?:[bur]{0,2}|new\s\w+\()["'\x60]([^"'\x60\s]{8,200})["'\x60]`,
      'giu',
    ),
    accepts: acceptsAssignment,
    bad: [
      'const api_key = "{alnum:32}";',
      '"clientSecret": "{word:31}1"',
      "db_password: 'Tr0ub{join}4dor&{alnum:6}1'",
      'SECRET_TOKEN = "{hex:40}"',
      "headers['x-api-key'] = '{alnum:30}7z'",
    ],
    good: [
      'const password = "changeme";',
      'api_key = os.environ["API_KEY_NAME_1"]',
      'tokenUrl: "https://a.b/oauth/token2"',
      'const secretName = "{alnum:32}";',
      'token = "user_password_reset"',
      'password: "Password is required"',
      'api_key: "${API_KEY_1234567890}"',
      'apiKey = "xxxxxxxxxxxxxxxx1234"',
      'secret = config.get("SECRET_KEY_V2")',
      'const TOKEN = "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6"',
      'csrf_token = "{alnum:32}"',
    ],
  },
  {
    id: 'secrets/config-credential',
    label: 'credential in a configuration file',
    severity: 'high',
    confidence: 'medium',
    keywords: ['passw', 'passphrase', 'pwd', 'secret', 'token', 'key', 'credential'],
    anyCase: true,
    pattern: new RegExp(
      String.raw`^[ \t]{0,20}(?:export\s|-\s)?[\w.-]{0,40}(?:${SECRET_WORD})[\w.-]{0,30}[ \t]{0,10}[:=][ \t]{0,10}([^\s"'\x60#$<{][^\s"'\x60]{7,200})[ \t]*(?:#.*)?$`,
      'gimu',
    ),
    accepts: (secret, match, path) => CONFIG_FILE.test(path) && acceptsAssignment(secret, match),
    bad: ['DB_PASSWORD=Xk9{join}{alnum:10}2', 'api_key: {alnum:32}', 'export AUTH_TOKEN={hex:40}'],
    good: [
      'DB_PASSWORD=changeme',
      'api_key: ${API_KEY}',
      'TOKEN_URL=https://a.b/c1',
      'PASSWORD=',
      'secret_key_base: <%= ENV["A"] %>',
    ],
  },
];
