import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from '@toon-format/toon';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawSql } from '../helpers/raw-sql.ts';
import { askJson } from './answers.ts';
import type { ErrorAnswer } from './answers.ts';
import { BIN, createPlace, plainEnvironment, skillflow } from './product.ts';
import type { Place } from './product.ts';

const ESCAPE = '\u001B';
const { version }: { version: string } = JSON.parse(readFileSync(join(BIN, '..', '..', 'package.json'), 'utf8'));

/** A folder in which nothing may appear. */
let empty: Place;
/** A folder with some data. */
let place: Place;
beforeAll(async () => {
  empty = createPlace();
  place = createPlace();
  await skillflow(['memory', 'store', 'greeting', 'hello'], { cwd: place.dir });
});
afterAll(() => {
  empty.remove();
  place.remove();
});

/** Runs a line of bash in which `$SKILLFLOW` is the program. */
function bash(script: string, cwd: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const env = { ...plainEnvironment(cwd), NODE: process.execPath, BIN };
  const prelude = 'set -o pipefail; skillflow() { "$NODE" "$BIN" "$@"; }\n';
  const { status, stdout, stderr } = spawnSync('bash', ['-c', prelude + script], { cwd, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}
const hasBash = spawnSync('bash', ['-c', 'exit 7']).status === 7;

describe.concurrent('help and version', { timeout: 60_000 }, () => {
  test('the version, however it is asked for', async () => {
    for (const args of [['--version'], ['-v'], ['version'], ['runs', '--version']])
      expect(await skillflow(args, { cwd: empty.dir }), args.join(' ')).toMatchObject({
        code: 0,
        stdout: `${version}\n`,
        stderr: '',
      });
    expect(await askJson(['--version'], { cwd: empty.dir })).toMatchObject({ code: 0, body: { version } });
    const old = await skillflow(['memory', 'get', 'key', '--version', '2'], { cwd: empty.dir });
    expect(old, 'with a value it is the flag of the command').toMatchObject({ code: 2, stdout: '' });
  });

  test('the overview names every command, and each of them has help', async () => {
    const { code, stdout } = await skillflow(['--help'], { cwd: empty.dir });
    expect(code).toBe(0);
    for (const args of [['-h'], ['help']]) expect((await skillflow(args, { cwd: empty.dir })).stdout).toBe(stdout);
    const section = stdout.split('Commands:\n')[1]?.split('\n\n')[0] ?? '';
    const commands = section.split('\n').map(
      (line) =>
        line
          .trim()
          .split(/ {2,}| [<[]/)[0]
          ?.split(' ') ?? [],
    );
    expect(commands.length).toBeGreaterThan(18);
    for (let at = 0; at < commands.length; at += 4) {
      await Promise.all(
        commands.slice(at, at + 4).map(async (command) => {
          const help = await skillflow([...command, '--help'], { cwd: empty.dir });
          expect(help, command.join(' ')).toMatchObject({ code: 0, stderr: '' });
          expect(help.stdout).toMatch(new RegExp(`^Usage: skillflow ${command.join(' ')}( |\n)`));
        }),
      );
    }
  });

  test('help of a group, help as a word, help in JSON', async () => {
    const group = await skillflow(['memory', '--help'], { cwd: empty.dir });
    expect(group.code).toBe(0);
    expect(group.stdout).toContain('memory delete <key>');
    expect((await skillflow(['help', 'run'], { cwd: empty.dir })).stdout).toContain('--fail-on SEVERITY');
    const { code, body } = await askJson<{ help: string }>(['run', '--help'], { cwd: empty.dir });
    expect(code).toBe(0);
    expect(body.help).toContain('Usage: skillflow run <skill> [task] [flags]');
  });

  test('without a command: the overview, and exit 2', async () => {
    const { code, stdout } = await skillflow([], { cwd: empty.dir });
    expect(code).toBe(2);
    expect(stdout).toContain('Usage: skillflow <command> [flags]');
    expect(await askJson([], { cwd: empty.dir })).toMatchObject({ code: 2, body: { error: { code: 'invalid_input' } } });
  });
});

/** Command lines that are wrong, and what the complaint has to name. */
const WRONG: readonly (readonly [readonly string[], string])[] = [
  [['bogus'], '"bogus"'],
  [['bogus', '--help'], '"bogus"'],
  [['help', 'bogus'], '"bogus"'],
  [['memry', 'get', 'x'], 'skillflow memory get'],
  [['--bogus'], '--bogus'],
  [['-x', 'runs'], '-x'],
  [['runs', '--limt', '3'], '--limit'],
  [['runs', '--limit', 'abc'], '--limit'],
  [['runs', '--limit'], '--limit'],
  [['runs', '--limit', '0'], 'limit'],
  [['runs', '--limit', '1', '--limit', '2'], '--limit'],
  [['runs', '--no-limit'], '--no-limit'],
  [['run'], 'skill'],
  [['run', 'no-such-skill'], 'no-such-skill'],
  [['run', 'code-review-swarn'], 'code-review-swarm'],
  [['run', 'code-review-swarm', '--tree=perhaps'], '--tree'],
  [['run', 'code-review-swarm', '--last', '1.5'], 'last'],
  [['run', 'code-review-swarm', '--tree', '--staged'], 'tree'],
  [['run', 'code-review-swarm', '--files', '../elsewhere'], '../elsewhere'],
  [['run', 'code-review-swarm', '--fail-on', 'worst'], '--fail-on'],
  [['run', 'code-review-swarm', '--fail-on'], '--fail-on'],
  [['run', 'code-review-swarm', '--provider', 'oracle'], 'provider'],
  [['memory', 'store', 'k'], 'value'],
  [['memory', 'store', 'k', 'v', 'word too many'], 'words too many'],
  [['memory', 'get', 'absent'], '"absent"'],
  [['show', 'run_absent'], 'run_absent'],
  [['events', 'run_absent', '--follow'], 'run_absent'],
  [['config', 'more'], 'more'],
  [['tools', '--bogus'], '--bogus'],
  [['mcp', 'serve'], 'serve'],
  [['mcp', '--tools', 'some'], 'default or all'],
  [['mcp', '--format', 'text'], '--format text'],
  [['mcp', '--format', 'xml'], 'text, json, toon, auto'],
  [['mcp', '--bogus'], '--bogus'],
  [['completions'], 'bash, zsh, fish'],
  [['completions', 'tcsh'], 'tcsh'],
  [['call'], 'name of a tool'],
  [['call', 'memory_gte'], 'memory_get'],
  [['call', 'memory_get', '{"key":'], 'not JSON'],
  [['call', 'memory_get', '{"kye":"x"}'], 'kye'],
  [['call', 'memory_get', '{}', '--bogus'], '--bogus'],
  [['--threads', 'many', 'runs'], 'threads'],
  [['--threads', '65', 'config'], '64'],
  [['--root'], '--root'],
  [['--root', join('no', 'such', 'folder'), 'runs'], 'no'],
  [['--root', BIN, 'runs'], 'not a folder'],
  [['--read-only=no', 'runs'], '--read-only'],
];

describe.concurrent('what is wrong', { timeout: 120_000 }, () => {
  test('exits with 2, names what was wrong, as one document with --json, and changes nothing', async () => {
    for (let at = 0; at < WRONG.length; at += 4) {
      await Promise.all(
        WRONG.slice(at, at + 4).map(async ([args, named]) => {
          const line = args.join(' ');
          const { code, body, stderr } = await askJson<ErrorAnswer>(args, { cwd: empty.dir });
          expect(code, line).toBe(2);
          expect(stderr, line).toBe('');
          expect(`${body.error.message} ${body.error.hint ?? ''}`, line).toContain(named);
        }),
      );
    }
    expect(readdirSync(empty.dir)).toEqual([]);
  });

  test('a value that memory refuses leaves it as it was', async () => {
    const before = await askJson(['memory', 'list'], { cwd: place.dir });
    const refused: readonly (readonly string[])[] = [
      ['', 'v'],
      ['k', 'v', '--ttl-seconds', '-5'],
      ['greeting', 'v', '--namespace', ''],
      ['greeting', 'v', '--tags', ''],
      ['greeting', 'x'.repeat(70_000), '--tags', 'y'.repeat(20_000)],
    ];
    for (const args of refused)
      expect(await askJson(['memory', 'store', ...args], { cwd: place.dir }), args.join(' ').slice(0, 40)).toMatchObject({
        code: 2,
      });
    expect(await askJson(['memory', 'list'], { cwd: place.dir })).toEqual(before);
  });

  test('people read the same on stderr: what was wrong, and what to do', async () => {
    for (const [args, named] of WRONG.filter((_wrong, at) => at % 8 === 0)) {
      const { code, stdout, stderr } = await skillflow(args, { cwd: empty.dir });
      expect({ code, stdout }, args.join(' ')).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^skillflow: [^\n]+\n {2}[^\n]+\n$/);
      expect(stderr).toContain(named);
    }
  });

  test('a bad environment variable and a bad project folder are named', async () => {
    const bad = [
      { SKILLFLOW_THREADS: 'x' },
      { SKILLFLOW_READ_ONLY: 'perhaps' },
      { SKILLFLOW_PROVIDER: 'oracle' },
      { CLAUDE_PROJECT_DIR: join(empty.dir, 'none') },
    ];
    for (const env of bad) {
      const { code, stderr } = await skillflow(['runs'], { cwd: empty.dir, env });
      expect(code).toBe(2);
      expect(stderr).toContain(Object.keys(env)[0]);
    }
  });

  test('control characters of others never reach the terminal', async () => {
    const { code, stderr } = await skillflow(['memory', 'get', `a${ESCAPE}[31mb\u202Ec\nd`], { cwd: place.dir });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^skillflow: [ -~]*\n {2}[ -~]*\n$/);
    const told = await skillflow(['--root', `/no${ESCAPE}]0;x`, 'runs'], { cwd: place.dir });
    expect(told).toMatchObject({ code: 2, stderr: expect.not.stringContaining(ESCAPE) });
  });
});

describe('formats', { timeout: 120_000 }, () => {
  test('every command prints JSON, TOON, the shorter of them, or text', async () => {
    const { dir, remove } = createPlace();
    for (let at = 0; at < 8; at += 1) await skillflow(['cache', 'set', `k${at}`, `value ${at}`], { cwd: dir });
    const print = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await skillflow(args, { cwd: dir });
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
      return stdout;
    };
    for (const command of [
      ['memory', 'namespaces'],
      ['memory', 'list'],
      ['config'],
      ['tools'],
      ['--version'],
      ['call', 'cache_stats'],
    ]) {
      const json: unknown = JSON.parse(await print(...command, '--format', 'json'));
      expect(decode(await print(...command, '--format', 'toon')), command.join(' ')).toEqual(json);
      const auto = await print('--format=auto', ...command);
      expect(auto.startsWith('{') ? JSON.parse(auto) : decode(auto), command.join(' ')).toEqual(json);
      expect(Buffer.byteLength(auto)).toBeLessThanOrEqual(JSON.stringify(json).length + 1);
    }
    expect(await print('memory', 'namespaces', '--format', 'text')).toBe(await print('memory', 'namespaces'));
    expect(await print('memory', 'list', '--json', '--format', 'json')).toBe(await print('memory', 'list', '--json'));
    const legacy = await print('call', 'cache_manage', '{"action":"stats"}', '--format', 'toon');
    expect(legacy).toMatch(/^\{\n {2}"success": true/);
    remove();
  });

  test('errors come in the format that was asked for', async () => {
    const { code, stdout, stderr } = await skillflow(['memory', 'get', 'absent', '--format', 'toon'], { cwd: empty.dir });
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
    expect(decode(stdout)).toMatchObject({ error: { code: 'not_found' } });
    for (const args of [
      ['memory', 'list', '--format', 'xml'],
      ['memory', 'list', '--format'],
      ['memory', 'list', '--json', '--format', 'toon'],
    ])
      expect((await skillflow(args, { cwd: empty.dir })).code, args.join(' ')).toBe(2);
    expect(readdirSync(empty.dir)).toEqual([]);
  });
});

describe('memory for people', { timeout: 120_000 }, () => {
  test('a day with the memory: history, diff, supersede, links, files, snapshots', async () => {
    const { dir, remove } = createPlace();
    const run = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await skillflow(args, { cwd: dir });
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
      return stdout;
    };
    await run('memory', 'store', 'http', 'axios for everything', '--kind', 'decision', '--tags', 'http', 'net');
    expect(await run('memory', 'store', 'http', 'undici for everything')).toMatch(/^updated +http\n.*\nversion +2\n/);
    expect(await run('memory', 'history', 'http')).toMatch(/^VERSION .*\n2 \(now\) .*undici.*\n1 .*axios/);
    expect(await run('memory', 'diff', 'http', '1', '2')).toMatch(/-axios for everything\n\+undici for everything/);
    await run('memory', 'revert', 'http', '1');
    expect(await run('memory', 'get', 'http')).toBe('axios for everything');
    await run('memory', 'store', 'http-2', 'fetch for everything');
    await run('memory', 'supersede', 'http', 'http-2', '--reason', 'it is built in');
    expect(await run('memory', 'search', 'what for everything?')).toMatch(
      /^SCORE .*\n0\.\d\d +default +http-2 +fetch for everything\n$/,
    );
    expect(await run('memory', 'links', 'http')).toMatch(/http-2 +supersedes +http +it is built in/);
    expect(await run('memory', 'backup', 'copy.db')).toContain(join(dir, 'copy.db'));
    expect(await run('memory', 'export', 'all.jsonl')).toMatch(/entries +2/);
    await run('snapshot', 'create', 'good');
    await run('memory', 'delete', 'http-2', '--purge');
    expect(await run('snapshot', 'restore', 'good')).toMatch(/memory +1 /);
    expect(await run('memory', 'import', 'all.jsonl')).toMatch(/unchanged +2/);
    expect(await run('memory', 'stats')).toMatch(/entries +2\n/);
    expect(await run('memory', 'doctor')).toMatch(/integrity +ok/);
    expect(await run('memory', '--help')).toContain('memory supersede <key> <by>');
    remove();
  });

  test('the doctor exits with 1 when something is wrong, and with 0 once it is mended', async () => {
    const { dir, remove } = createPlace();
    await skillflow(['memory', 'store', 'k', 'words'], { cwd: dir });
    await rawSql(join(dir, '.skillflow', 'skillflow.db'), "INSERT INTO memory_fts (memory_fts) VALUES ('delete-all')");
    const wrong = await skillflow(['memory', 'doctor'], { cwd: dir });
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(/full-text +wrong/);
    expect(wrong.stdout).toContain('--repair');
    expect((await skillflow(['memory', 'doctor', '--repair'], { cwd: dir })).code).toBe(0);
    expect((await askJson<{ total: number }>(['memory', 'search', 'words'], { cwd: dir })).body.total).toBe(1);
    remove();
  });
});

describe.concurrent('colour', { timeout: 60_000 }, () => {
  const commands = [['skills'], ['health'], ['runs'], ['memory', 'list'], ['config'], ['tools'], ['--help'], ['nonsense']];

  test('what is piped has none, unless asked for', async () => {
    for (const args of commands) {
      const { stdout, stderr } = await skillflow(args, { cwd: place.dir });
      expect(stdout + stderr, args.join(' ')).not.toContain(ESCAPE);
    }
    const coloured = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<boolean> =>
      (await skillflow(['memory', 'list', ...args], { cwd: place.dir, env })).stdout.includes(ESCAPE);
    expect(await coloured([], { FORCE_COLOR: '1' })).toBe(true);
    expect(await coloured(['--color'])).toBe(true);
    expect(await coloured([], { FORCE_COLOR: '0' })).toBe(false);
    expect(await coloured([], { FORCE_COLOR: '' })).toBe(false);
    expect(await coloured(['--no-color'], { FORCE_COLOR: '1' })).toBe(false);
    expect(await coloured(['--json'], { FORCE_COLOR: '1' })).toBe(false);
  });

  // `script` gives the program a terminal.
  const hasTerminal = hasBash && spawnSync('script', ['-qec', 'exit 7', '/dev/null'], { stdio: 'ignore' }).status === 7;
  test.skipIf(!hasTerminal)('a terminal has it, unless NO_COLOR or TERM=dumb says no', () => {
    const inTerminal = (env: string): string =>
      bash(`script -qec "env ${env} '$NODE' '$BIN' memory list" /dev/null </dev/null`, place.dir).stdout;
    expect(inTerminal('TERM=xterm')).toContain(ESCAPE);
    expect(inTerminal('TERM=xterm NO_COLOR=1')).not.toContain(ESCAPE);
    expect(inTerminal('TERM=xterm NO_COLOR=1')).toContain('greeting');
    expect(inTerminal('TERM=dumb')).not.toContain(ESCAPE);
  });
});

describe.concurrent('config', { timeout: 60_000 }, () => {
  test('flag beats environment beats file beats default, and each value says where it came from', async () => {
    const { dir, remove } = createPlace();
    const config = async (args: readonly string[], env: NodeJS.ProcessEnv) =>
      (await askJson<Record<string, unknown>>(['config', ...args], { cwd: dir, env })).body;
    expect(await config([], {})).toMatchObject({
      threads: 0,
      readOnly: false,
      provider: 'auto',
      sources: { threads: 'default' },
    });
    mkdirSync(join(dir, '.skillflow'));
    writeFileSync(join(dir, '.skillflow', 'config.json'), '{"threads": 2, "readOnly": true}');
    expect(await config([], {})).toMatchObject({ threads: 2, readOnly: true, sources: { threads: 'file', provider: 'default' } });
    expect(await config([], { SKILLFLOW_THREADS: '3' })).toMatchObject({ threads: 3, sources: { threads: 'environment' } });
    expect(await config(['--threads', '4'], { SKILLFLOW_THREADS: '3' })).toMatchObject({
      threads: 4,
      sources: { threads: 'flag' },
    });
    const { stdout } = await skillflow(['config'], { cwd: dir, env: { SKILLFLOW_THREADS: '3' } });
    expect(stdout).toMatch(/^threads +3 +\(environment\)$/m);
    expect(stdout).toMatch(/^readOnly +true +\(file\)$/m);
    expect(stdout).toContain(dir);
    remove();
  });

  test('a bad file is named, whatever the command, and stays as it is', async () => {
    const { dir, remove } = createPlace();
    mkdirSync(join(dir, '.skillflow'));
    const path = join(dir, '.skillflow', 'config.json');
    for (const text of ['{"threads": "two"}', '{"threds": 2}', '[1]', '{', '', 'null', '{"threads": null}', '{"readOnly": 1}']) {
      writeFileSync(path, text);
      const { code, stderr } = await skillflow(['memory', 'store', 'k', 'v'], { cwd: dir });
      expect(code, text).toBe(2);
      expect(stderr, text).toContain(path);
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
    expect(readdirSync(join(dir, '.skillflow'))).toEqual(['config.json']);
    expect((await skillflow(['--help'], { cwd: dir })).code).toBe(0);
    remove();
  });
});

describe.skipIf(!hasBash)('shells', () => {
  test('bash completes commands, flags and shells', () => {
    const complete = (words: readonly string[]): readonly string[] => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const { status, stdout, stderr } = bash(
        `source <(skillflow completions bash)
         COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _skillflow; printf '%s\\n' "\${COMPREPLY[@]}"`,
        empty.dir,
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return stdout.split('\n').filter((line) => line !== '');
    };
    expect(bash('skillflow completions bash | bash -n', empty.dir)).toMatchObject({ status: 0, stderr: '' });
    expect(complete(['skillflow', 'mem'])).toEqual(['memory']);
    expect(complete(['skillflow', 'memory', 'sto'])).toEqual(['store']);
    expect(complete(['skillflow', 'mcp', '--to'])).toEqual(['--tools']);
    expect(complete(['skillflow', 'run', 'code-review-swarm', '--fa'])).toEqual(['--fail-on']);
    expect(complete(['skillflow', '--root', '/x', 'memory', 'get', 'key', '--na'])).toEqual(['--namespace']);
    expect(complete(['skillflow', 'events', 'run_x', '--fol'])).toEqual(['--follow']);
    expect(complete(['skillflow', 'completions', ''])).toEqual(expect.arrayContaining(['bash', 'fish', 'zsh']));
    expect(complete(['skillflow', 'runs', '--js'])).toEqual(['--json']);
  });

  test('zsh and fish get scripts of their own', async () => {
    const zsh = await skillflow(['completions', 'zsh'], { cwd: empty.dir });
    expect(zsh).toMatchObject({ code: 0, stdout: expect.stringContaining('bashcompinit') });
    const fish = await skillflow(['completions', 'fish'], { cwd: empty.dir });
    expect(fish.code).toBe(0);
    for (const line of fish.stdout.trim().split('\n')) expect(line).toMatch(/^complete -c skillflow /);
    expect(fish.stdout).toContain('--fail-on');
  });

  test('a reader that leaves early is no failure', () => {
    expect(bash('skillflow tools --json | true', place.dir)).toMatchObject({ status: 0, stderr: '' });
    expect(bash('skillflow memory list | head -1', place.dir)).toMatchObject({ status: 0, stderr: '' });
    expect(bash('skillflow runs | head -1', place.dir)).toMatchObject({ status: 0, stderr: '' });
    expect(bash('skillflow nonsense 2>&1 >/dev/null | true', place.dir)).toMatchObject({ status: 2, stderr: '' });
  });

  test('a working folder that is gone is named', () => {
    const { status, stderr } = bash('mkdir gone && cd gone && rmdir ../gone && skillflow runs', place.dir);
    expect({ status, named: stderr.includes(join(place.dir, 'gone')) }).toEqual({ status: 2, named: true });
  });
});
