import type { SgNode } from '@ast-grep/napi';
import { flowHit, FROM_CALLER, FROM_REQUEST, functionText, outsideHit, stringValue } from './checks.ts';
import { isCatastrophic } from './regex-shape.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const SQL_WORDS =
  /\b(?:select\b[^]*\bfrom|insert\s+into|update\b[^]*\bset|delete\s+from|drop\s+(?:table|database)|create\s+(?:table|database)|alter\s+table|where|order\s+by|exec(?:ute)?\s|union\s+select|values\s*\()/iu;

/** Whether an expression is put together of parts: concatenation, template, format call; names are looked up. */
function isBuilt(node: SgNode, scene: Scene): boolean {
  const known = scene.definition(node);
  switch (known.kind()) {
    case 'binary_expression':
      return true;
    case 'template_string':
      return known.children().some((child) => child.kind() === 'template_substitution');
    case 'call_expression':
      return /(?:^|\.)(?:format|concat|join|replace)$/u.test(known.field('function')?.text() ?? '');
    case 'identifier':
      return true; // several assignments: decided by the origin and by the words
    default:
      return false;
  }
}

function queryText(call: Call): SgNode | undefined {
  const [first] = call.args;
  if (first?.kind() !== 'object') return first;
  return call.option('sql') ?? call.option('text') ?? call.option('query') ?? call.option('Statement') ?? undefined;
}

/** Whether the statements around a call put the named text together: `sql += …`, `sql = a + b`, with words of SQL. */
function isBuiltInSteps(name: SgNode, call: Call, scene: Scene): boolean {
  const around = functionText(call.node, scene);
  const escaped = name.text().replaceAll('$', String.raw`\$`);
  const built = new RegExp(String.raw`\b${escaped}\s*(?:\+=|=[^=>\n]*(?:\+|\$\{|\.concat\())`, 'u').test(around);
  return built && SQL_WORDS.test(around);
}

function sqlHit(call: Call, scene: Scene): Hit | null {
  const text = queryText(call);
  if (text === undefined || call.node.text().startsWith('sql`')) return null;
  const hit = flowHit(scene, text, { request: 'high', parameter: 'medium', unknown: 'low' });
  if (hit === null) return null;
  const known = scene.definition(text);
  const built = isBuilt(text, scene);
  if (/^(?:\$?queryRawUnsafe|\$?executeRawUnsafe)$/u.test(call.name)) return hit;
  if (!built) return hit.confidence === 'high' && !/^(?:find|graphql)/u.test(call.name) && known.kind() !== 'object' ? hit : null;
  if (known.kind() === 'identifier') return isBuiltInSteps(known, call, scene) ? hit : null;
  return SQL_WORDS.test(known.text()) || hit.confidence === 'high' ? hit : null;
}

const OPERATORS = /\$where|\$regex|mapReduce/u;

/** Rules on query languages and on regular expressions. */
export const jsInjectionRules: readonly SecurityRule[] = [
  {
    id: 'security/js-sql-injection',
    severity: 'critical',
    cwe: ['CWE-89'],
    message: 'An SQL statement is built from a value that is not constant',
    advice: 'Use placeholders and pass the values separately.',
    keywords: ['query', 'execute', 'raw', 'Raw', 'literal', 'sql', 'prepare', '.all(', '.run(', '.each(', 'unsafe('],
    calls: {
      callee:
        /(?:^|\.)(?:query|execute|executeSql|raw|whereRaw|havingRaw|orderByRaw|joinRaw|selectRaw|groupByRaw|fromRaw|literal|prepare|queryRaw|\$?queryRawUnsafe|\$?executeRawUnsafe|executeQuery|runSql|querySync|simpleQuery|batch|createQuery|unsafe)$|(?:^|\.)\w*(?:db|database|conn|connection|sqlite|client|pool)\w*\.(?:all|get|run|each|exec)$/iu,
      check: sqlHit,
    },
    bad: [
      'function f(id) { return db.query("SELECT * FROM t WHERE id = " + id); }',
      'app.get("/", (req, res) => { const q = `select * from u where n = \'${req.query.n}\'`; pool.query(q, cb); });',
      'export const f = (n) => sequelize.query(`SELECT a FROM b WHERE n = ${n}`);',
      'function f(x) { let sql = "select a from b"; sql += " where c = " + x; return client.query(sql); }',
      'function f(ids) { return db.query(`SELECT a FROM t WHERE id IN (${ids.map((x) => `\'${x}\'`).join(",")})`); }',
      'async function f(n) { await prisma.$queryRawUnsafe(`SELECT ${n} FROM t`); }',
    ],
    good: [
      'db.query("SELECT * FROM t WHERE id = ?", [req.query.id]);',
      'const T = "users"; db.query(`SELECT * FROM ${T}`);',
      'function f(sql, args) { return db.query(sql, args); }',
      'function f(ids) { return db.query(`SELECT a FROM t WHERE id IN (${ids.map(() => "?").join(",")})`, ids); }',
      'function f(ids) { return db.query(`SELECT a FROM t WHERE id IN (${ids.map((_, i) => `$${i + 1}`).join(", ")})`, ids); }',
      'function f(ids) { return db.query(`SELECT a FROM t WHERE id IN (${Array(ids.length).fill("?").join()})`, ids); }',
      'import { COLUMNS } from "./columns.js"; db.query(`SELECT ${COLUMNS} FROM t`);',
      'async function f(step) { return execute(step, more); }',
      'function f(id) { return db.query("SELECT * FROM t WHERE id = " + Number(id)); }',
      'function f(id) { return client.query(sql`SELECT * FROM t WHERE id = ${id}`); }',
    ],
  },
  {
    id: 'security/js-nosql-injection',
    severity: 'high',
    cwe: ['CWE-943'],
    message: 'A database filter takes an object or code from the request',
    advice: 'Take single values, convert them to strings, and never pass $where.',
    keywords: ['find', 'update', 'delete', '$where', 'aggregate', 'count', 'remove'],
    calls: {
      callee:
        /\.(?:find|findOne|findOneAndUpdate|findOneAndDelete|findOneAndRemove|updateOne|updateMany|update|deleteOne|deleteMany|remove|aggregate|count|countDocuments|replaceOne|\$where|where)$/u,
      check: (call, scene) => {
        const [filter] = call.args;
        if (filter === undefined || /function|arrow/u.test(filter.kind().toString())) return null;
        if (call.name === '$where') return flowHit(scene, filter, FROM_CALLER);
        if (call.name === 'where') return null;
        const known = scene.definition(filter);
        if (known.kind() !== 'object') {
          const hit = flowHit(scene, known, { request: 'high' });
          return hit !== null && /body|query|params/u.test(hit.origin?.via ?? '') && known.kind() === 'member_expression'
            ? hit
            : null;
        }
        if (OPERATORS.test(known.text())) return flowHit(scene, known, FROM_CALLER);
        const direct = known
          .namedChildren()
          .filter((pair) => pair.kind() === 'pair')
          .map((pair) => pair.field('value'))
          .filter(
            (value) => value !== null && /^(?:req|request|ctx\.request)\.(?:body|query)\b/u.test(scene.definition(value).text()),
          );
        return direct.length === 0 ? null : flowHit(scene, direct[0], { request: 'medium' });
      },
    },
    assigns: { name: /^\$where$/u, check: ({ value }, scene) => flowHit(scene, value, FROM_CALLER) },
    entries: { key: /^\$where$/u, check: ({ value }, scene) => flowHit(scene, value, FROM_REQUEST) },
    bad: [
      'app.post("/", (req, res) => { const q = {}; q["$where"] = `this.a == ${req.body.a}`; run(q); });',
      'app.post("/", (req, res) => { User.findOne(req.body); });',
      'app.post("/", (req, res) => { User.find({ name: req.body.name, pass: req.body.pass }); });',
      'function f(x) { return c.find({ $where: "this.a == " + x }); }',
    ],
    good: [
      'app.post("/", (req, res) => { User.findOne({ name: String(req.body.name) }); });',
      'list.find((x) => x.id === req.body.id);',
      'User.findOne({ name: "root" });',
    ],
  },
  {
    id: 'security/js-regexp-dynamic',
    severity: 'medium',
    cwe: ['CWE-1333'],
    message: 'A regular expression is made of a value that comes from a caller: it can be made to run very long',
    advice: 'Escape the value, limit its length, or compare strings.',
    keywords: ['RegExp'],
    calls: {
      callee: /^(?:window\.|globalThis\.)?RegExp$/u,
      check: (call, scene) => {
        const hit = flowHit(scene, call.args[0], { request: 'high', parameter: 'low' });
        return hit?.confidence === 'low' ? { ...hit, severity: 'low' } : hit;
      },
    },
    bad: ['function f(word) { return new RegExp("\\\\b" + word); }', 'app.get("/", (req) => RegExp(req.query.q));'],
    good: [
      'new RegExp("a+b");',
      'function f(w) { return new RegExp(w.replace(/[.*+?^${}()|[\\]\\\\]/g, "\\\\$&")); }',
      'function f(w) { return new RegExp(escapeRegExp(w)); }',
      'const A = "a"; new RegExp(`${A}$`);',
    ],
  },
  {
    id: 'security/js-regexp-catastrophic',
    severity: 'medium',
    cwe: ['CWE-1333'],
    message: 'A regular expression has a repetition inside a repetition: some texts take exponential time',
    advice: 'Rewrite it so that each character can be matched in one way only.',
    keywords: [')+', ')*', '){'],
    nodes: {
      kinds: ['regex', 'new_expression'],
      check: (node, scene) => {
        if (node.kind() === 'regex') return isCatastrophic(node.text()) ? { confidence: 'medium' } : null;
        const call = scene.call(node);
        if (call?.callee !== 'RegExp') return null;
        const source = stringValue(scene, call.args[0]);
        return source !== null && isCatastrophic(source) ? { confidence: 'medium' } : null;
      },
    },
    bad: ['const r = /^(a+)+$/;', 'new RegExp("^([a-z0-9]+)*$");', '/(?:\\w*)*x/.test(t);', '/(a|aa)+$/.test(t);'],
    good: ['/^a+$/;', '/^(?:a+,)*a+$/;', '/(ab)+c/;', '/(\\.[a-z]+)*$/;', '/([a-z]+){3}/;'],
  },
  {
    id: 'security/js-xpath-ldap-injection',
    severity: 'high',
    cwe: ['CWE-643', 'CWE-90'],
    message: 'An XPath or LDAP filter is built from a value that comes from a caller',
    advice: 'Escape the value for the filter language, or compare after the query.',
    keywords: ['xpath', 'ldap', '.search('],
    calls: {
      callee: /(?:^|\.)xpath\.(?:select|select1|parse|evaluate)$|(?:^|\.)(?:ldap\w*|ldapClient)\.search$|^document\.evaluate$/iu,
      check: (call, scene) => {
        const target = call.name === 'search' ? (call.option('filter') ?? call.args[1]) : call.args[0];
        return target !== undefined && isBuilt(target, scene) ? flowHit(scene, target, FROM_CALLER) : null;
      },
    },
    bad: [
      'const xpath = require("xpath"); function f(n, doc) { return xpath.select("//u[@n=\'" + n + "\']", doc); }',
      'function f(u) { ldapClient.search("dc=a", { filter: `(uid=${u})` }); }',
    ],
    good: ['const xpath = require("xpath"); xpath.select("//a", doc);', '"abc".search(pattern);'],
  },
  {
    id: 'security/js-log-format',
    severity: 'low',
    cwe: ['CWE-134'],
    message: 'A format string is built from outside input: its % marks take the next arguments',
    advice: 'Use a constant format and pass the value as an argument.',
    keywords: ['console.', 'util.format'],
    calls: {
      callee: /^console\.(?:log|error|warn|info|debug|trace)$|^util\.format$/u,
      check: (call, scene) => {
        const [format] = call.args;
        if (format === undefined || call.args.length < 2 || !isBuilt(format, scene) || format.kind() === 'identifier')
          return null;
        return outsideHit(scene, format);
      },
    },
    bad: ['app.get("/", (req) => { console.log("user " + req.query.u, err); });'],
    good: ['console.log("user %s", req.query.u);', 'console.log("done " + n);'],
  },
];
