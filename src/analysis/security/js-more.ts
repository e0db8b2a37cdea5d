import { flowHit, FROM_CALLER, FROM_REQUEST, stringValue } from './checks.ts';
import type { SecurityRule } from './rule.ts';

const SQL_START =
  /["'`]\s*(?:select\s+.*\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|drop\s+table|alter\s+table)/isu;
const LOCAL_HOST = /^(?:ws|http):\/\/(?:localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|\[|[\w.-]*\.(?:local|internal|test|svc))/iu;

/** Rules on cloud functions, storage in the browser, listings and parsers. */
export const jsMoreRules: readonly SecurityRule[] = [
  {
    id: 'security/js-sql-string-request',
    severity: 'high',
    cwe: ['CWE-89'],
    message: 'A text that looks like SQL is put together with a value of the request',
    advice: 'Use placeholders and pass the values separately.',
    yieldsTo: ['security/js-sql-injection'],
    keywords: ['req.', 'request.', 'ctx.', 'event', '@Query', '@Param', '@Body'],
    shape: /\b(?:select|insert|update|delete|drop|alter)\s/iu,
    nodes: {
      kinds: ['template_string', 'binary_expression'],
      check: (node, scene) => {
        const text = node.text();
        if (text.length > 2000 || !SQL_START.test(text)) return null;
        if (
          node.kind() === 'binary_expression' &&
          (node.field('operator')?.text() !== '+' || node.parent()?.kind() === 'binary_expression')
        )
          return null;
        return flowHit(scene, node, FROM_REQUEST);
      },
    },
    bad: [
      'exports.handler = async (event) => { const q = `SELECT a FROM b WHERE c = ${event.c}`; return run(q); };',
      'app.get("/", (req, res) => { const q = "DELETE FROM t WHERE a = " + req.query.a; go(q); });',
    ],
    good: [
      'const q = `SELECT a FROM b WHERE c = ${c}`;',
      'app.get("/", (req, res) => { say("Select a color: " + req.query.a); });',
    ],
  },
  {
    id: 'security/js-cloud-table-request',
    severity: 'high',
    cwe: ['CWE-943'],
    message: 'A query of a cloud table takes an object of the request',
    advice: 'Build the query of single checked values.',
    keywords: ['dynamo', 'Dynamo', 'docClient', 'documentClient', 'ddb'],
    calls: {
      callee:
        /(?:^|\.)\w*(?:dynamo|docClient|documentClient|ddb)\w*\.(?:put|update|query|scan|get|delete|putItem|updateItem|batchWrite)$/iu,
      check: (call, scene) => {
        const [first] = call.args;
        return first === undefined || scene.definition(first).kind() === 'object' ? null : flowHit(scene, first, FROM_REQUEST);
      },
    },
    bad: ['exports.handler = async (event) => { await dynamoDb.update(event.params).promise(); };'],
    good: ['exports.handler = async (event) => { await dynamoDb.get({ TableName: "a", Key: { id: event.id } }).promise(); };'],
  },
  {
    id: 'security/js-directory-listing',
    severity: 'low',
    cwe: ['CWE-548'],
    message: 'The names of all files in a folder are served',
    advice: 'Serve single files, or put the listing behind a login.',
    keywords: ['serve-index', 'express.directory'],
    calls: { callee: /^serve-index$|^express\.directory$/u, check: () => ({ confidence: 'medium' }) },
    bad: ['const serveIndex = require("serve-index"); app.use("/f", serveIndex("f"));'],
    good: ['app.use(express.static("f"));'],
  },
  {
    id: 'security/js-jwt-not-revoked',
    severity: 'low',
    cwe: ['CWE-522'],
    message: 'Tokens are accepted without asking whether they were revoked',
    advice: 'Give the option isRevoked.',
    keywords: ['express-jwt'],
    productionOnly: true,
    calls: {
      callee: /^express-jwt(?:\.expressjwt)?$/u,
      check: (call) => (call.option('isRevoked') === null && call.args[0]?.kind() === 'object' ? { confidence: 'low' } : null),
    },
    bad: ['const jwt = require("express-jwt"); app.use(jwt({ secret: process.env.S }));'],
    good: ['const jwt = require("express-jwt"); app.use(jwt({ secret: process.env.S, isRevoked: check }));'],
  },
  {
    id: 'security/js-token-in-storage',
    severity: 'low',
    cwe: ['CWE-922'],
    message: 'A token is kept where every script of the page can read it',
    advice: 'Keep it in a cookie with httpOnly.',
    keywords: ['localStorage', 'sessionStorage'],
    calls: {
      callee: /(?:^|\.)(?:localStorage|sessionStorage)\.setItem$/u,
      check: (call, scene) => {
        const name = stringValue(scene, call.args[0]) ?? call.args[0]?.text() ?? '';
        return /jwt|(?:^|[_-])(?:access|auth|id|refresh)?_?-?token$|(?:access|auth|refresh)Token$|password/iu.test(name)
          ? { confidence: 'low' }
          : null;
      },
    },
    bad: ['localStorage.setItem("token", t);', 'window.sessionStorage.setItem("jwt", x);'],
    good: ['localStorage.setItem("theme", t);'],
  },
  {
    id: 'security/js-plain-websocket',
    severity: 'low',
    cwe: ['CWE-319'],
    message: 'A connection goes over a protocol without encryption',
    advice: 'Use wss:// or https://.',
    keywords: ['ws://', 'XMLHttpRequest', '.open('],
    productionOnly: true,
    calls: {
      callee:
        /^(?:WebSocket|ws|ws\.WebSocket|ReconnectingWebSocket)$|(?:^|\.)(?:xhr|xmlHttp|request|req|httpRequest|xmlhttp)\.open$/iu,
      check: (call, scene) => {
        const target = stringValue(scene, call.name === 'open' ? call.args[1] : call.args[0]) ?? '';
        return /^(?:ws|http):\/\/\w/u.test(target) && !LOCAL_HOST.test(target) ? { confidence: 'medium' } : null;
      },
    },
    bad: ['const s = new WebSocket("ws://chat.shop.com");', 'xhr.open("GET", "http://api.shop.com/a");'],
    good: ['new WebSocket("wss://chat.shop.com");', 'new WebSocket("ws://localhost:80");', 'xhr.open("GET", "/a");'],
  },
  {
    id: 'security/js-all-errors',
    severity: 'low',
    cwe: ['CWE-400'],
    message: 'A validator collects all errors: a large invalid input costs much time',
    advice: 'Leave allErrors out in production.',
    keywords: ['allErrors'],
    productionOnly: true,
    entries: {
      key: /^allErrors$/u,
      check: ({ value, node }) =>
        value.text() === 'true' && /^new\s+Ajv|Ajv\(/u.test(node.parent()?.parent()?.parent()?.text().slice(0, 60) ?? '')
          ? { confidence: 'low' }
          : null,
    },
    bad: ['const a = new Ajv({ allErrors: true });'],
    good: ['const a = new Ajv({ allErrors: false });', 'show({ allErrors: true });'],
  },
  {
    id: 'security/js-expat-request',
    severity: 'medium',
    cwe: ['CWE-611'],
    message: 'XML of a caller goes to a parser that expands entities',
    advice: 'Refuse document types.',
    keywords: ['node-expat'],
    calls: {
      callee: /(?:^|\.)\w*[pP]arser\.(?:parse|write)$/u,
      check: (call, scene) => flowHit(scene, call.args[0], FROM_CALLER),
    },
    bad: ['const expat = require("node-expat"); function f(xml) { const parser = make(); parser.parse(xml); }'],
    good: ['const expat = require("node-expat"); parser.parse("<a/>");'],
  },
  {
    id: 'security/js-deno-command',
    severity: 'high',
    cwe: ['CWE-78'],
    message: 'A program is started that a caller chooses',
    advice: 'Name the program as a constant.',
    keywords: ['Deno.'],
    calls: {
      callee: /^Deno\.(?:run|Command)$/u,
      check: (call, scene) => {
        if (call.name === 'Command') return flowHit(scene, call.args[0], FROM_CALLER);
        const list = call.option('cmd');
        const items = list?.kind() === 'array' ? list.namedChildren() : [];
        const isShell = stringValue(scene, items[0])?.endsWith('sh') === true;
        return flowHit(scene, isShell ? list : (items[0] ?? list), FROM_CALLER);
      },
    },
    bad: ['function f(c) { Deno.run({ cmd: [c, "a"] }); }', 'function f(c) { Deno.run({ cmd: ["bash", "-c", c] }); }'],
    good: ['function f(c) { Deno.run({ cmd: ["ls", c] }); }'],
  },
];
