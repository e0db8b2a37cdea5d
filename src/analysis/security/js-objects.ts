import type { SgNode } from '@ast-grep/napi';
import { flowHit, FROM_REQUEST, functionText, outsideHit, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const GUARD = /__proto__|hasOwn|Object\.create\(null\)|new Map\(|isPrototypePolluted|\.freeze\(|"constructor"|'constructor'/u;

/** `a[b][c] = d`, or `a = a[b]` in a loop, with keys that are not constant and no guard in the function. */
function keyedWrite(node: SgNode, scene: Scene): Hit | null {
  const left = node.field('left');
  const right = node.field('right');
  if (left === null || right === null || GUARD.test(functionText(node, scene))) return null;
  if (left.kind() === 'subscript_expression') {
    const object = left.field('object');
    const index = left.field('index');
    if (object?.kind() === 'subscript_expression') {
      const inner = flowHit(scene, object.field('index'), { request: 'high', parameter: 'medium' });
      return inner !== null && flowHit(scene, index, { request: 'high', parameter: 'medium', unknown: 'low' }) !== null
        ? inner
        : null;
    }
    return index?.kind() === 'string' ? null : outsideHit(scene, index);
  }
  if (left.kind() !== 'identifier' || right.kind() !== 'subscript_expression') return null;
  const walks = right.field('object')?.text() === left.text();
  const isLoop = node
    .ancestors()
    .slice(0, 6)
    .some((a) => /^(?:for|while|do)_/u.test(a.kind().toString()));
  const key = right.field('index');
  return walks && isLoop && key !== null && scene.origin(key).kind !== 'constant' && !/number|^\d/u.test(key.kind().toString())
    ? { confidence: 'low', origin: scene.origin(key) }
    : null;
}

/** `for (k in src) dst[k] = src[k]` in a function that calls itself, without a guard. */
function recursiveMerge(node: SgNode): Hit | null {
  const fn = node.ancestors().find((a) => /function/u.test(a.kind().toString()));
  const name =
    fn?.field('name')?.text() ??
    (fn?.parent()?.kind() === 'variable_declarator' ? fn.parent()?.field('name')?.text() : undefined);
  if (fn === undefined || name === undefined || name === null || GUARD.test(fn.text())) return null;
  const key =
    node
      .field('left')
      ?.text()
      .replace(/^(?:const|let|var)\s+/u, '') ?? '';
  if (!/^[\w$]+$/u.test(key)) return null;
  const body = node.field('body')?.text() ?? '';
  const writes = new RegExp(String.raw`\w\[\s*${key.replaceAll('$', String.raw`\$`)}\s*\]\s*=[^=]`, 'u').test(body);
  return writes && new RegExp(String.raw`\b${name.replaceAll('$', String.raw`\$`)}\(`, 'u').test(body)
    ? { confidence: 'medium' }
    : null;
}

function assignFromRequest(call: Call, scene: Scene): Hit | null {
  for (const arg of call.args.slice(call.callee === 'Object.assign' ? 1 : 0)) {
    const known = scene.definition(arg);
    const isParsed = known.text().startsWith('JSON.parse(');
    const hit = flowHit(scene, arg, FROM_REQUEST);
    if (hit !== null && (isParsed || known.kind() === 'member_expression'))
      return call.callee === 'Object.assign' ? { ...hit, confidence: 'low' } : hit;
  }
  return null;
}

/** Rules on objects whose keys come from outside, and on checks that are left incomplete. */
export const jsObjectRules: readonly SecurityRule[] = [
  {
    id: 'security/js-prototype-pollution',
    severity: 'high',
    cwe: ['CWE-1321'],
    message: 'A property is written under keys that are not constant: __proto__ changes all objects',
    advice: 'Refuse __proto__, constructor and prototype, or use a Map.',
    keywords: ['['],
    shape:
      /\]\s*\[[^\]\n]*\]\s*=[^=>]|(?:req\w*|ctx|event|query|body|params|data|input|user|entry|payload|location|argv)[^\]\n]*\]\s*=[^=>]|\bin\s[^)\n]*\)/iu,
    assigns: {
      name: /^$/u,
      check: ({ node }, scene) => (node.kind() === 'assignment_expression' ? keyedWrite(node, scene) : null),
    },
    nodes: { kinds: ['for_in_statement'], check: (node) => recursiveMerge(node) },
    bad: [
      'function set(o, a, b, v) { o[a][b] = v; }',
      'app.post("/", (req, res) => { store[req.body.k] = req.body.v; });',
      'function merge(d, s) { for (const k in s) { if (typeof s[k] === "object") merge(d[k], s[k]); else d[k] = s[k]; } }',
    ],
    good: [
      'o["a"]["b"] = v;',
      'function f(o, k, v) { o[k] = v; }',
      'function set(o, a, b, v) { if (a === "__proto__") return; o[a][b] = v; }',
      'for (let i = 0; i < 3; i++) m[i][0] = 1;',
    ],
  },
  {
    id: 'security/js-prototype-walk',
    severity: 'medium',
    cwe: ['CWE-1321'],
    message: 'A path of keys is followed without refusing __proto__',
    advice: 'Refuse __proto__, constructor and prototype on the way.',
    yieldsTo: ['security/js-prototype-pollution'],
    keywords: ['['],
    shape: /\b(\w+)\s*=\s*\1\[/u,
    assigns: {
      name: /^\w+$/u,
      check: ({ node }, scene) =>
        node.kind() === 'assignment_expression' && node.field('right')?.kind() === 'subscript_expression'
          ? keyedWrite(node, scene)
          : null,
    },
    bad: ['function set(obj, keys, v) { for (let i = 0; i < keys.length; i++) { const k = keys[i]; obj = obj[k]; } obj.x = v; }'],
    good: ['function get(list) { let a = list; a = a[0]; return a; }'],
  },
  {
    id: 'security/js-merge-request',
    severity: 'medium',
    cwe: ['CWE-1321', 'CWE-915'],
    message: 'An object of the request is merged into another one with all its keys',
    advice: 'Take the wanted fields one by one.',
    keywords: ['merge', 'extend', 'defaultsDeep', 'assign', 'setWith'],
    calls: {
      callee:
        /^(?:lodash|_|lodash\.merge|deepmerge|merge|jQuery|\$|extend|hoek|@hapi\/hoek|Object)(?:\.(?:merge|mergeWith|extend|defaultsDeep|assign|applyToDefaults))?$/u,
      check: assignFromRequest,
    },
    bad: [
      'const _ = require("lodash"); app.post("/", (req, res) => { _.merge(user, req.body); });',
      'app.post("/", (req) => { Object.assign(user, req.body); });',
    ],
    good: ['const _ = require("lodash"); _.merge({}, defaults);', 'Object.assign(user, { name: req.body.name });'],
  },
  {
    id: 'security/js-incomplete-sanitization',
    severity: 'medium',
    cwe: ['CWE-116'],
    message: 'Only the first occurrence of a special character is replaced',
    advice: 'Use replaceAll, or a regular expression with the flag g.',
    keywords: ['.replace('],
    calls: {
      callee: /\.replace$/u,
      check: (call, scene) => {
        const pattern = stringValue(scene, call.args[0]);
        if (call.args[0]?.kind() !== 'string' || pattern === null || call.args.length < 2) return null;
        return /^(?:['"<>&`|;]|\\['"]|\.\.\/?|\*)$/u.test(pattern) && call.node.parent()?.kind() !== 'member_expression'
          ? { confidence: 'medium' }
          : null;
      },
    },
    bad: ['const t = s.replace("\'", "");', 'x.replace("<", "&lt;");', 'p.replace("../", "");'],
    good: ['s.replace(/\'/g, "");', 's.replaceAll("<", "&lt;");', 's.replace("a", "b");'],
  },
  {
    id: 'security/js-handmade-html-escape',
    severity: 'low',
    cwe: ['CWE-79', 'CWE-116'],
    message: 'HTML is escaped by hand with replacements, which are easily incomplete',
    advice: 'Use a library that escapes for the place where the text goes.',
    keywords: ['&lt;', '&quot;', '&amp;', '&gt;'],
    calls: {
      callee: /\.replace(?:All)?$/u,
      check: (call) => {
        const [pattern, replacement] = call.args;
        if (!/^(?:\/["'<>&]\/g?|["'`]["'<>&]["'`])$/u.test(pattern?.text() ?? '')) return null;
        const all = call.node
          .ancestors()
          .slice(0, 10)
          .map((a) => a.text().slice(0, 400))
          .find((t) => /&lt;/u.test(t) && /&amp;/u.test(t) && /&quot;|&#3/u.test(t));
        return /&(?:lt|gt|quot|amp|#\d+);/u.test(replacement?.text() ?? '') && all === undefined && !/&amp;/u.test(call.callee)
          ? { confidence: 'low' }
          : null;
      },
    },
    bad: ['const a = t.replace(/</g, "&lt;").replace(/>/g, "&gt;");'],
    good: ['const a = t.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");', 't.replace(/a/g, "b");'],
  },
];
