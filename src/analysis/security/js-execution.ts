import { ANY_VALUE, argument, flowHit, FROM_CALLER, isTrue, outsideHit, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

/** `spawn` runs a shell when asked to, or when the program is one. */
function shellSpawn(call: Call, scene: Scene): Hit | null {
  const [program, list] = call.args;
  const shell = call.option('shell');
  const isShell = shell !== null && !/^(?:false|undefined)$/u.test(shell.text());
  const named = stringValue(scene, program);
  if (isShell || (named !== null && /^(?:\/bin\/)?(?:ba|z|da)?sh$|^cmd(?:\.exe)?$|powershell/u.test(named))) {
    return flowHit(scene, program, ANY_VALUE) ?? flowHit(scene, list, ANY_VALUE);
  }
  return flowHit(scene, program, { request: 'high', parameter: 'low' });
}

/** Rules on code and commands that are made of values. */
export const jsExecutionRules: readonly SecurityRule[] = [
  {
    id: 'security/js-eval-dynamic',
    severity: 'high',
    cwe: ['CWE-95'],
    message: 'eval runs a text that is not constant as code',
    advice: 'Parse data with JSON.parse, or look the wanted behaviour up in a table.',
    keywords: ['eval', 'execScript', 'constructor('],
    calls: {
      callee: /^(?:(?:window|globalThis|global|self)\.)?(?:eval|execScript)$|^\(0,eval\)$|\.constructor\.constructor$/u,
      check: argument(0, ANY_VALUE),
    },
    bad: ['function f(a) { return eval(a); }', 'eval("run(" + location.hash + ")");', 'window.eval(`x = ${load()}`);'],
    good: ['eval("1 + 1");', 'const code = "a()"; eval(code);', 'model.evaluate(x);'],
  },
  {
    id: 'security/js-function-constructor',
    severity: 'high',
    cwe: ['CWE-95'],
    message: 'new Function compiles a text that is not constant',
    advice: 'Write the function in code, or interpret the data with a parser made for it.',
    keywords: ['Function('],
    calls: {
      callee: /^(?:(?:window|globalThis|global)\.)?(?:Function|AsyncFunction|GeneratorFunction)$/u,
      check: (call, scene) => {
        for (const arg of call.args) {
          const hit = flowHit(scene, arg, ANY_VALUE);
          if (hit !== null) return hit;
        }
        return null;
      },
    },
    bad: ['function f(body) { return new Function("a", body); }', 'Function(`return ${req.query.x}`)();'],
    good: ['new Function("a", "return a + 1");', 'isFunction(x);'],
  },
  {
    id: 'security/js-timer-string',
    severity: 'high',
    cwe: ['CWE-95'],
    message: 'A timer is given a text, which it runs as code',
    advice: 'Give the timer a function.',
    keywords: ['setTimeout', 'setInterval', 'setImmediate'],
    calls: {
      callee: /^(?:(?:window|globalThis|global|self)\.)?(?:setTimeout|setInterval|setImmediate)$/u,
      check: (call, scene) => {
        const [first] = call.args;
        const kind = first === undefined ? '' : scene.definition(first).kind().toString();
        if (kind === 'member_expression' || kind === 'subscript_expression') return flowHit(scene, first, { request: 'high' });
        if (!['binary_expression', 'template_string', 'call_expression'].includes(kind))
          return first === undefined ? null : flowHit(scene, first, { request: 'high' });
        return kind === 'call_expression' && !/String|concat|join|get|query/u.test(first?.text() ?? '')
          ? null
          : flowHit(scene, first, ANY_VALUE);
      },
    },
    bad: ['function f(a) { setTimeout("run(" + a + ")", 5); }', 'setInterval(`go(${x})`, 10);', 'setTimeout(location.hash, 1);'],
    good: ['setTimeout(() => f(a), 5);', 'setTimeout(cb, 5);', 'setTimeout(run.bind(null, 1), 5);', 'setTimeout("a()", 5);'],
  },
  {
    id: 'security/js-vm-dynamic',
    severity: 'high',
    cwe: ['CWE-94'],
    message: 'The vm module, which is no sandbox, runs a text that is not constant',
    advice: 'Run untrusted code in a separate process with its own limits, or not at all.',
    keywords: ['vm', 'VM', 'sandbox', 'runInContext', 'runInNewContext'],
    calls: {
      callee:
        /^vm\.(?:runIn\w+|compileFunction|Script|SourceTextModule)$|(?:^|\.)(?:runInContext|runInNewContext|runInThisContext)$|^vm2?\.run$|^(?:nodeVM|vm2|sandbox|s)\.run$/iu,
      check: argument(0, ANY_VALUE),
    },
    bad: [
      'const vm = require("vm"); function f(code) { vm.runInNewContext(code); }',
      'import { Script } from "node:vm"; export const g = (t) => new Script(t);',
    ],
    good: ['const vm = require("vm"); vm.runInNewContext("1 + 1", {});'],
  },
  {
    id: 'security/js-command-injection',
    severity: 'critical',
    cwe: ['CWE-78'],
    message: 'A shell command is built from a value that is not constant',
    advice: 'Use execFile or spawn with a list of arguments and no shell, or check the value against a list.',
    keywords: ['exec', 'shelljs', 'execa', '$`'],
    calls: {
      callee:
        /^child_process\.(?:exec|execSync)$|^(?:cp|childProcess|child_process|proc|shell|shelljs)\.exec(?:Sync)?$|^execSync$|^execa\.command(?:Sync)?$|^execaCommand(?:Sync)?$|^(?:execAsync|execPromise|execP)$/u,
      check: argument(0, ANY_VALUE),
    },
    bad: [
      'const { exec } = require("child_process"); function f(name) { exec("ls " + name); }',
      'import cp from "node:child_process"; app.get("/", (req, res) => { cp.execSync(`cat ${req.query.f}`); });',
      'const execAsync = promisify(exec); export const run = (c) => execAsync(`git log ${c}`);',
    ],
    good: [
      'const { exec } = require("child_process"); exec("ls -l");',
      'const m = /a/.exec(text);',
      'const { execSync } = require("child_process"); for (const c of ["a", "b"]) execSync("npm run " + c);',
    ],
  },
  {
    id: 'security/js-spawn-shell',
    severity: 'high',
    cwe: ['CWE-78'],
    message: 'A program or a shell is started with a value that is not constant',
    advice: 'Drop the shell option, name the program as a constant, and pass values as arguments.',
    keywords: ['spawn', 'execFile', 'fork'],
    calls: {
      callee:
        /^child_process\.(?:spawn|spawnSync|execFile|execFileSync)$|^(?:cp|childProcess)\.(?:spawn|execFile)(?:Sync)?$|^(?:spawn|spawnSync)$/u,
      check: shellSpawn,
    },
    bad: [
      'const { spawn } = require("child_process"); function f(a) { spawn("ls " + a, { shell: true }); }',
      'import { spawn } from "child_process"; export const f = (cmd) => spawn("sh", ["-c", cmd]);',
      'const cp = require("child_process"); exports.f = (req) => cp.spawn(req.body.program, []);',
    ],
    good: [
      'const { spawn } = require("child_process"); function f(a) { spawn("ls", [a]); }',
      'const { spawn } = require("child_process"); spawn("ls -l | wc", { shell: true });',
    ],
  },
  {
    id: 'security/js-require-dynamic',
    severity: 'medium',
    cwe: ['CWE-95'],
    message: 'A module is loaded by a name that comes from outside',
    advice: 'Look the module up in a table of the allowed ones.',
    keywords: ['require(', 'import('],
    calls: {
      callee: /^(?:require|import)$/u,
      check: (call, scene) => flowHit(scene, call.args[0], { request: 'high', parameter: 'low' }),
    },
    bad: ['function f(name) { return require("./plugins/" + name); }', 'app.get("/", (req, res) => { require(req.query.m); });'],
    good: ['require("fs");', 'const p = "./a"; require(p);', 'require(path.join(__dirname, "a.js"));'],
  },
  {
    id: 'security/js-dynamic-method',
    severity: 'medium',
    cwe: ['CWE-749', 'CWE-470'],
    message: 'A method is chosen by a name that comes from outside',
    advice: 'Check the name against the allowed ones, or use a Map.',
    keywords: [']('],
    calls: {
      callee: /\]$/u,
      check: (call, scene) => flowHit(scene, call.node.field('function')?.field('index'), { request: 'high' }),
    },
    bad: [
      'app.post("/", (req, res) => { api[req.body.method](1); });',
      'window.addEventListener("message", (ev) => { handlers[ev.data.name](ev); });',
    ],
    good: ['handlers["go"](1);', 'const k = "a"; table[k]();', 'function f(k) { return list[k](); }'],
  },
  {
    id: 'security/js-unsafe-deserialization',
    severity: 'critical',
    cwe: ['CWE-502'],
    message: 'A deserializer that can run code is given data that is not constant',
    advice: 'Use JSON.parse and validate the shape.',
    keywords: ['serialize', 'cryo', 'funcster', 'v8'],
    calls: {
      callee:
        /^(?:node-serialize|serialize-to-js|cryo|funcster|serialize|serializer|serijs|cryo)\.(?:unserialize|deserialize|parse|deepDeserialize)$|(?:^|\.)unserialize$|^v8\.deserialize$/u,
      check: argument(0, ANY_VALUE),
    },
    bad: [
      'const s = require("node-serialize"); app.get("/", (req, res) => { s.unserialize(req.cookies.p); });',
      'import { unserialize } from "serialize-to-js"; export const f = (t) => unserialize(t);',
    ],
    good: ['JSON.parse(text);', 'const s = require("node-serialize"); s.serialize(a);'],
  },
  {
    id: 'security/js-yaml-unsafe',
    severity: 'high',
    cwe: ['CWE-502'],
    message: 'YAML is loaded with a schema that makes functions and other objects',
    advice: 'Use the default or JSON schema.',
    keywords: ['FULL_SCHEMA', 'yaml', 'YAML'],
    calls: {
      callee: /^(?:js-yaml|yaml|jsyaml)\.(?:load|loadAll|unsafeLoad|unsafeLoadAll)$/u,
      check: (call) => {
        if (call.name.startsWith('unsafe')) return { confidence: 'high' };
        const schema = call.option('schema');
        return schema !== null && /FULL|UNSAFE|unsafe/u.test(schema.text()) ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'const yaml = require("js-yaml"); yaml.load(text, { schema: yaml.DEFAULT_FULL_SCHEMA });',
      'import yaml from "js-yaml"; yaml.unsafeLoad(t);',
    ],
    good: ['import yaml from "js-yaml"; yaml.load(t);', 'yaml.load(t, { schema: yaml.JSON_SCHEMA });'],
  },
  {
    id: 'security/js-template-injection',
    severity: 'high',
    cwe: ['CWE-1336'],
    message: 'A template is compiled from a text that comes from a caller',
    advice: 'Keep templates constant and pass the values as data.',
    keywords: ['compile', 'render', 'template'],
    calls: {
      callee:
        /^(?:ejs|pug|jade|handlebars|Handlebars|hbs|mustache|Mustache|nunjucks|dot|doT|eta|swig|twig|lodash|_|underscore|velocityjs|dustjs-linkedin)\.(?:compile|render|renderString|template|precompile|compileClient)$|^(?:nunjucks\.)?renderString$/u,
      check: (call, scene) => flowHit(scene, call.args[0], FROM_CALLER),
    },
    bad: [
      'const pug = require("pug"); app.post("/", (req, res) => { res.send(pug.compile(req.body.t)()); });',
      'import ejs from "ejs"; export function f(text) { return ejs.render(text, {}); }',
    ],
    good: ['const pug = require("pug"); pug.compile("p= name");', 'ejs.render("<%= a %>", { a: req.query.a });'],
  },
  {
    id: 'security/js-render-request',
    severity: 'medium',
    cwe: ['CWE-73', 'CWE-706'],
    message: 'The name of a view, or all its data, comes from the request',
    advice: 'Name the view as a constant and pass single checked values.',
    keywords: ['render('],
    calls: {
      callee: /^(?:res|response|reply|ctx)\.render$/u,
      check: (call, scene) => {
        const data = call.args[1];
        const whole = data === undefined || data.kind() === 'object' ? null : flowHit(scene, data, { request: 'medium' });
        return flowHit(scene, call.args[0], { request: 'high' }) ?? whole;
      },
    },
    bad: [
      'app.get("/", (req, res) => { res.render(req.query.page); });',
      'app.get("/", function (req, res) { res.render("home", req.query); });',
    ],
    good: ['app.get("/", (req, res) => { res.render("home", { name: req.query.name }); });'],
  },
  {
    id: 'security/js-remote-script',
    severity: 'high',
    cwe: ['CWE-94'],
    message: 'A browser under remote control runs or opens a value that comes from a caller',
    advice: 'Pass values as arguments of a constant function, and check addresses.',
    keywords: ['puppeteer', 'playwright', 'phantom', 'chrome-remote-interface', 'wkhtmlto'],
    calls: {
      callee:
        /(?:^|\.)(?:page|context|Page|Runtime|frame|client|browserContext)\.(?:goto|evaluate|evaluateHandle|evaluateOnNewDocument|setContent|addInitScript|navigate|compileScript|setDocumentContent|printToPDF|open|openUrl|evaluateJavaScript)$|^wkhtmlto(?:pdf|image)(?:\.generate)?$/u,
      check: (call, scene) => {
        const [first] = call.args;
        const kind = first?.kind().toString() ?? '';
        if (/function|arrow/u.test(kind)) return null;
        return flowHit(scene, first, FROM_CALLER);
      },
    },
    bad: [
      'const puppeteer = require("puppeteer"); async function f(html) { const page = await make(); await page.setContent(html); }',
    ],
    good: [
      'const puppeteer = require("puppeteer"); async function f(a) { await page.evaluate((x) => x, a); await page.goto("https://a.b"); }',
    ],
  },
  {
    id: 'security/js-serialize-unsafe',
    severity: 'medium',
    cwe: ['CWE-79'],
    message: 'serialize-javascript is told not to escape HTML characters',
    advice: 'Leave the option unsafe out.',
    keywords: ['serialize-javascript'],
    calls: {
      callee: /^serialize-javascript$/u,
      check: (call) => (isTrue(call.option('unsafe')) ? { confidence: 'high' } : null),
    },
    bad: ['const serialize = require("serialize-javascript"); serialize(x, { unsafe: true });'],
    good: ['const serialize = require("serialize-javascript"); serialize(x);'],
  },
  {
    id: 'security/js-git-clone-argument',
    severity: 'medium',
    cwe: ['CWE-88'],
    message: 'An address from a caller is given to git, which reads options from arguments',
    advice: 'Put "--" before the address and allow only https addresses.',
    keywords: ['clone'],
    calls: {
      callee: /(?:^|\.)(?:spawn|spawnSync|execFile|execFileSync)$/u,
      check: (call, scene) => {
        const list = call.args[1];
        if (stringValue(scene, call.args[0]) !== 'git' || list?.kind() !== 'array') return null;
        const items = list.namedChildren();
        if (
          !items.some((item) => stringValue(scene, item) === 'clone') ||
          items.some((item) => stringValue(scene, item) === '--')
        )
          return null;
        return flowHit(scene, list, FROM_CALLER) ?? outsideHit(scene, list);
      },
    },
    bad: ['const { spawn } = require("child_process"); function f(url) { spawn("git", ["clone", url]); }'],
    good: ['const { spawn } = require("child_process"); function f(url) { spawn("git", ["clone", "--", url]); }'],
  },
];
