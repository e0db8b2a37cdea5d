/** Parts of a request that hold what its sender wrote; alternatives of a regular expression. */
export const REQUEST_PARTS =
  'query|body|params?|headers?|cookies|signedCookies|url|originalUrl|path|hostname|host|files?|rawBody|searchParams|querystring|nextUrl|rawHeaders';
/** Parts of a request object that the server itself makes. */
export const OWN_REQUEST_PARTS =
  /^(?:user|session|app|log|logger|id|method|protocol|secure|ips?|socket|connection|route|auth|context|db|res|next|state|locals|server|raw|signal|on|pipe|is|accepts|account|tenant|baseUrl|fresh|xhr|csrfToken|flash|isAuthenticated|i18n|t|logout|login|logIn|logOut)$/u;
/** Reads of outside input by their text. */
export const SOURCE = new RegExp(
  [
    String.raw`(?:^|\.)_?(?:req|request|httpRequest)\.(?:${REQUEST_PARTS})\b`,
    String.raw`(?:^|\.)(?:ctx|koaContext|context)\.(?:request\.(?:${REQUEST_PARTS})|query|params|querystring|headers?|url|path|originalUrl)\b`,
    String.raw`^(?:event|evt)\.(?:body|queryStringParameters|multiValueQueryStringParameters|pathParameters|headers|rawPath|rawQueryString)\b`,
    String.raw`^(?:(?:window|document|self|top|parent|globalThis)\.)*location(?:\.(?:href|hash|search|pathname))?$`,
    String.raw`^(?:window\.)?document\.(?:URL|documentURI|referrer|cookie|baseURI)$`,
    String.raw`^(?:window|self)\.name$`,
    String.raw`^(?:event|evt|e|ev|msg|message)\.(?:target\.value|currentTarget\.value|data)\b`,
  ].join('|'),
  'u',
);
/** Calls that read outside input. */
export const SOURCE_CALL =
  /(?:^|\.)_?(?:req|request|ctx)\.(?:param|get|header|query|formData|json|text)$|^(?:window\.)?prompt$|(?:^|\.)(?:searchParams|urlParams|queryParams)\.get(?:All)?$/u;
/** Names that request objects go by. */
export const REQUEST_OBJECT = /^_?(?:req|request|ctx)$/u;
/** Calls that register a handler, whose first parameter is the request. */
export const ROUTE_CALL =
  /(?:^|\.)\w*(?:app|router|server|route|fastify|api)\w*\.(?:get|post|put|delete|patch|use|all|any|head|options|route|on|handle)$|(?:^|\.)https?\.createServer$|^createServer$/iu;
const SANITIZER_CALL =
  /(?:^|\.|_)(?:parseInt|parseFloat|Number|BigInt|Boolean|isNaN|isFinite|basename|randomUUID|randomBytes|digest|indexOf|lastIndexOf|includes|test|startsWith|endsWith|charCodeAt|has|hasOwn|hasOwnProperty|ObjectID|ObjectId|toFixed|getTime)$|^Math\.|^Date\b|^performance\.|^(?:uuid|nanoid|v4|uuidv4)\b/u;
const SANITIZER_WORD =
  /sanit|escap|encod|purif|clean|quote|valid|whitelist|allowlist|allowed|permit|safe(?!ty)|strip(?:tags|html)|slugify|xss|parameteriz/iu;
const UNSAFE_WORD = /unsafe|unescape|decode|unquote|invalid|bypass/iu;
/** Methods that give a callback the elements of what they are called on. */
export const ITERATION = /\.(?:map|forEach|filter|some|every|find|flatMap|reduce|sort)$/u;

/** Whether a function of this name checks, converts or escapes what it is given. */
export function isSanitizerName(callee: string): boolean {
  const name = callee.slice(callee.lastIndexOf('.') + 1);
  return (
    SANITIZER_CALL.test(callee) ||
    (SANITIZER_WORD.test(name) && !UNSAFE_WORD.test(name)) ||
    /^(?:DOMPurify|validator|sqlstring|he|entities)\./iu.test(callee)
  );
}
