import type { SgNode } from '@ast-grep/napi';
import { always, ANY_VALUE, argument, flowHit, FROM_CALLER, isTrue, stringValue } from './checks.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

function shellCall(call: Call, scene: Scene): Hit | null {
  const [command] = call.args;
  const target = command ?? call.option('args');
  if (isTrue(call.option('shell'))) return flowHit(scene, target, ANY_VALUE);
  if (target === null) return null;
  const known = scene.definition(target);
  if (known.kind() !== 'list' && known.kind() !== 'tuple') return flowHit(scene, target, { request: 'high', parameter: 'low' });
  const items = known.namedChildren();
  const program = stringValue(scene, items[0]);
  const isShell = program !== null && /(?:^|\/)(?:ba|z|da)?sh$|^cmd(?:\.exe)?$|powershell|python\d?$/u.test(program);
  if (isShell && items.some((item) => /^["']-?[ce]["']$|^["']\/c["']$/iu.test(item.text())))
    return flowHit(scene, target, ANY_VALUE);
  return flowHit(scene, items[0], { request: 'high', parameter: 'medium' });
}

/** Whether a value is bytes of the program itself, which are safe to load: the result of a dump. */
function isOwnDump(value: SgNode | undefined, scene: Scene): boolean {
  return value !== undefined && /\bdumps\(/u.test(scene.definition(value).text());
}

/** Rules on code, commands and objects that are made of values. */
export const pyExecutionRules: readonly SecurityRule[] = [
  {
    id: 'security/py-eval-dynamic',
    severity: 'high',
    cwe: ['CWE-95'],
    message: 'eval or exec runs a text that is not constant as code',
    advice: 'Use ast.literal_eval for data, or look the wanted behaviour up in a table.',
    keywords: [
      'eval(',
      'exec(',
      'compile(',
      'InteractiveConsole',
      'InteractiveInterpreter',
      'runsource',
      'runcode',
      'run_string',
    ],
    calls: {
      callee:
        /^(?:builtins\.|__builtins__\.)?(?:eval|exec)$|^(?:compile|builtins\.compile)$|\.(?:runsource|runcode)$|^(?:_xxsubinterpreters|_interpreters|_testcapi)\.run_(?:string|in_subinterp)$/u,
      check: (call, scene) => {
        const hit = flowHit(scene, call.name === 'run_string' ? call.args[1] : call.args[0], ANY_VALUE);
        return call.name === 'compile' && hit?.confidence === 'low' ? null : hit;
      },
    },
    bad: [
      'def f(a):\n    return eval(a)\n',
      'exec("x = " + input())\n',
      'code = request.GET["c"]\nexec(compile(code, "f", "exec"))\n',
    ],
    good: [
      'eval("1 + 1")\n',
      'x = "a"\nexec(x)\n',
      'import ast\nast.literal_eval(t)\n',
      'import re\nre.compile(p)\n',
      'model.eval()\n',
    ],
  },
  {
    id: 'security/py-os-command',
    severity: 'critical',
    cwe: ['CWE-78'],
    message: 'A shell command is built from a value that is not constant',
    advice: 'Use subprocess.run with a list of arguments.',
    keywords: ['os.', 'popen', 'system', 'commands', 'getoutput', 'getstatusoutput', 'from os', 'bash_command'],
    entries: { key: /^bash_command$/u, check: ({ value }, scene) => flowHit(scene, value, FROM_CALLER) },
    calls: {
      callee:
        /^(?:os\.(?:system|popen|popen2|popen3|popen4)|popen2\.popen\d|commands\.getoutput|commands\.getstatusoutput|subprocess\.getoutput|subprocess\.getstatusoutput|posix\.system|pty\.spawn)$/u,
      check: argument(0, ANY_VALUE),
    },
    bad: [
      'import os\ndef f(n):\n    os.system("ls " + n)\n',
      'import os\nos.popen(f"cat {request.args.get(\'f\')}")\n',
      'from subprocess import getoutput\ngetoutput("ping %s" % host)\n',
    ],
    good: [
      'import os\nos.system("ls -l")\n',
      'import os\nC = "ls"\nos.popen(C)\n',
      'import os, shlex\nos.system("ls " + shlex.quote(n))\n',
    ],
  },
  {
    id: 'security/py-subprocess-shell',
    severity: 'critical',
    cwe: ['CWE-78'],
    message: 'A process is started with a command that is not constant',
    advice: 'Pass a list of arguments with a constant program, without shell=True.',
    keywords: ['subprocess', 'Popen', 'create_subprocess', 'os.spawn', 'os.exec', 'posix_spawn', 'asyncio'],
    calls: {
      callee:
        /^subprocess\.(?:run|call|check_call|check_output|Popen)$|^(?:asyncio\.(?:subprocess\.)?create_subprocess_(?:shell|exec)|\w*loop\.subprocess_(?:exec|shell))$|^os\.(?:exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|startfile)$/u,
      check: (call, scene) => {
        if (call.callee.startsWith('subprocess.')) return shellCall(call, scene);
        if (call.name.endsWith('_shell')) return flowHit(scene, call.args.at(call.name.startsWith('sub') ? 1 : 0), ANY_VALUE);
        const at = call.name.startsWith('spawn') || call.name === 'subprocess_exec' ? 1 : 0;
        const hit = flowHit(scene, call.args[at], FROM_CALLER);
        const program = stringValue(scene, call.args[at]);
        const dash = call.args.findIndex((arg) => stringValue(scene, arg) === '-c');
        return (
          hit ??
          (program !== null && program.endsWith('sh') && dash !== -1 ? flowHit(scene, call.args[dash + 1], FROM_CALLER) : null) ??
          (program !== null && program.endsWith('sh') ? listHit(call, scene) : null)
        );
      },
    },
    bad: [
      'import subprocess\ndef f(n):\n    subprocess.run("ls " + n, shell=True)\n',
      'import subprocess as sp\nsp.Popen("cat %s" % name, shell=True)\n',
      'import subprocess\ndef f(c):\n    subprocess.call(["bash", "-c", c])\n',
      'import subprocess\nsubprocess.run([request.form["p"], "-l"])\n',
      'import asyncio\nasync def f(c):\n    await asyncio.create_subprocess_shell(c)\n',
    ],
    good: [
      'import subprocess\nsubprocess.run(["ls", name])\n',
      'import subprocess\nsubprocess.run("ls -l | wc", shell=True)\n',
      'import subprocess\ndef f(n):\n    subprocess.run(["ls", "-l", n], check=True)\n',
    ],
  },
  {
    id: 'security/py-unsafe-deserialization',
    severity: 'high',
    cwe: ['CWE-502'],
    message: 'A deserializer that can run code is used',
    advice: 'Use JSON and validate the shape.',
    keywords: ['pickle', 'Pickle', 'marshal', 'shelve', 'dill', 'jsonpickle', 'joblib', 'Unpickler', 'loads', 'read_pickle'],
    calls: {
      callee:
        /^(?:pickle|cPickle|_pickle|dill|jsonpickle|cloudpickle|marshal|joblib|pandas|pd)\.(?:load|loads|Unpickler|decode|read_pickle)$|^shelve\.(?:open|DbfilenameShelf)$|^six\.moves\.cPickle\.loads?$|^(?:torch)\.load$/u,
      check: (call, scene) => {
        if (call.callee === 'torch.load')
          return call.option('weights_only') === null ? flowHit(scene, call.args[0], FROM_CALLER) : null;
        if (isOwnDump(call.args[0], scene)) return null;
        return flowHit(scene, call.args[0], ANY_VALUE) ?? (call.name === 'open' ? null : { confidence: 'low' });
      },
    },
    bad: [
      'import pickle\ndef f(b):\n    return pickle.loads(b)\n',
      'import _pickle as p\np.load(open("a.bin", "rb"))\n',
      'import marshal\nmarshal.loads(request.data)\n',
      'import jsonpickle\njsonpickle.decode(body)\n',
    ],
    good: ['import json\njson.loads(t)\n', 'import pickle\npickle.dumps(a)\n'],
  },
  {
    id: 'security/py-pickle-write',
    severity: 'low',
    cwe: ['CWE-502'],
    message: 'Data is written in a format whose reading can run code',
    advice: 'Use JSON or another format of plain data.',
    keywords: ['pickle', 'Pickle', 'marshal', 'dill'],
    productionOnly: true,
    calls: {
      callee: /^(?:pickle|cPickle|_pickle|dill|cloudpickle|marshal|jsonpickle)\.(?:dump|dumps|Pickler|encode)$/u,
      check: always('low'),
    },
    bad: ['import pickle\npickle.dump(a, fh)\n'],
    good: ['import json\njson.dump(a, fh)\n'],
  },
  {
    id: 'security/py-yaml-unsafe',
    severity: 'high',
    cwe: ['CWE-502'],
    message: 'YAML is loaded by a loader that makes Python objects',
    advice: 'Use yaml.safe_load.',
    keywords: ['yaml'],
    calls: {
      callee:
        /^(?:yaml|ruamel\.yaml)\.(?:load|load_all|unsafe_load|unsafe_load_all|full_load|full_load_all|YAML)$|^ruamel\.yaml\.main\.YAML$/u,
      check: (call, scene) => {
        if (call.name === 'YAML')
          return /^(?:unsafe|base)$/u.test(stringValue(scene, call.option('typ') ?? call.args[0]) ?? '')
            ? { confidence: 'high' }
            : null;
        if (call.name.startsWith('unsafe')) return { confidence: 'high' };
        if (call.name.startsWith('full')) return { confidence: 'low' };
        const loader = call.option('Loader') ?? call.args[1];
        if (loader === undefined) return { confidence: 'high' };
        return /(?:CSafe|Safe|CBase|Base)Loader$/u.test(scene.canonical(loader.text())) ? null : { confidence: 'high' };
      },
    },
    bad: ['import yaml\nyaml.load(t)\n', 'import yaml\nyaml.load(t, Loader=yaml.Loader)\n', 'import yaml\nyaml.unsafe_load(t)\n'],
    good: [
      'import yaml\nyaml.safe_load(t)\n',
      'import yaml\nyaml.load(t, Loader=yaml.SafeLoader)\n',
      'from yaml import CSafeLoader as L, load\nload(t, L)\n',
    ],
  },
  {
    id: 'security/py-import-dynamic',
    severity: 'medium',
    cwe: ['CWE-706', 'CWE-470'],
    message: 'A module or attribute is chosen by a value that is not constant',
    advice: 'Look it up in a table of the allowed ones.',
    keywords: ['import_module', '__import__', 'globals()', 'locals()', '__globals__'],
    calls: {
      callee: /^importlib\.import_module$|^__import__$|^(?:globals|locals)\(\)\.get$/u,
      check: (call, scene) =>
        flowHit(scene, call.args[0], {
          request: 'high',
          parameter: 'medium',
          ...(call.name === 'import_module' ? { unknown: 'low' } : {}),
        }),
    },
    nodes: {
      kinds: ['subscript'],
      check: (node, scene) =>
        /^(?:globals|locals)\(\)$|\.__globals__$/u.test(node.field('value')?.text() ?? '')
          ? flowHit(scene, node.field('subscript'), FROM_CALLER)
          : null,
    },
    bad: [
      'import importlib\ndef f(n):\n    return importlib.import_module(n)\n',
      'def f(n):\n    return globals()[n]()\n',
      'def f(request):\n    v = request.GET["a"]\n    fn = globals().get(v)\n',
    ],
    good: ['import importlib\nimportlib.import_module("a.b")\n', 'x = globals()["a"]\n'],
  },
  {
    id: 'security/py-template-injection',
    severity: 'high',
    cwe: ['CWE-1336', 'CWE-79'],
    message: 'A template is made of a text that is not constant',
    advice: 'Keep templates constant and pass the values as data.',
    keywords: ['render_template_string', 'Template(', 'from_string', 'mako'],
    calls: {
      callee:
        /(?:^|\.)render_template_string$|^(?:jinja2|mako\.template|django\.template|flask)\.Template$|(?:^|\.)(?:env|environment|jinja_env|Environment)(?:\(.*\))?\.from_string$|^Template$/u,
      check: (call, scene) => flowHit(scene, call.args[0], call.name === 'render_template_string' ? ANY_VALUE : FROM_CALLER),
    },
    bad: [
      'from flask import render_template_string\ndef f(t):\n    return render_template_string(t)\n',
      'from jinja2 import Template\nTemplate("hi " + request.args["n"]).render()\n',
    ],
    good: [
      'from flask import render_template_string\nrender_template_string("<p>{{ a }}</p>", a=request.args["a"])\n',
      'from jinja2 import Template\nTemplate("a").render()\n',
      'from string import Template\ndef f(t):\n    return Template(t)\n',
    ],
  },
  {
    id: 'security/py-mako-no-escape',
    severity: 'low',
    cwe: ['CWE-79'],
    message: 'Mako templates do not escape HTML by themselves',
    advice: "Pass default_filters=['h'], or use an engine that escapes.",
    keywords: ['mako'],
    calls: {
      callee: /^mako\.(?:template\.Template|lookup\.TemplateLookup)$/u,
      check: (call) => (call.option('default_filters') === null ? { confidence: 'medium' } : null),
    },
    bad: ['from mako.template import Template\nTemplate("hello")\n'],
    good: ["from mako.template import Template\nTemplate('a', default_filters=['h'])\n"],
  },
  {
    id: 'security/py-remote-command',
    severity: 'high',
    cwe: ['CWE-78'],
    message: 'A command for another machine or a container is built from a value that comes from a caller',
    advice: 'Quote each value with shlex.quote, or use a list of the allowed commands.',
    keywords: ['paramiko', 'exec_command', 'invoke_shell', 'fabric', 'docker'],
    calls: {
      callee: /\.exec_command$|^(?:\w+\.)?containers\.(?:run|create)$|^fabric\.api\.(?:run|sudo|local)$/u,
      check: (call, scene) =>
        /containers/u.test(call.callee) ? flowHit(scene, call.args[0], FROM_CALLER) : flowHit(scene, call.args[0], ANY_VALUE),
    },
    bad: ['import paramiko\ndef f(client, n):\n    client.exec_command("ls " + n)\n'],
    good: ['import paramiko\nclient.exec_command("ls -l")\n'],
  },
];

function listHit(call: Call, scene: Scene): Hit | null {
  const list = call.args.find((arg) => arg.kind() === 'list' || scene.definition(arg).kind() === 'list');
  return list === undefined ? null : flowHit(scene, list, FROM_CALLER);
}
