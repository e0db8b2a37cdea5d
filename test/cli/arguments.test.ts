import { describe, expect, test } from 'vitest';
import { asksVersion, findCommand, parseInput, takeGlobals, usage } from '../../src/cli/arguments.ts';
import { completions } from '../../src/cli/completions.ts';
import { commandHelp, overview } from '../../src/cli/help.ts';
import { allTools } from '../../src/tools/all-tools.ts';
import { listTool } from '../../src/tools/listing.ts';
import type { ToolListing } from '../../src/tools/listing.ts';

const listings = allTools.map(listTool);

function listing(name: string): ToolListing {
  const found = listings.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`no listing ${name}`);
  return found;
}

const parse = (name: string, ...argv: readonly string[]): unknown => parseInput(listing(name), takeGlobals(argv).rest);

describe('a command line', () => {
  test('flags become typed properties', () => {
    expect(parse('skill_run', 'code-review-swarm', '--last', '3')).toEqual({ skill: 'code-review-swarm', last: 3 });
    expect(parse('skill_run', 'code-review-swarm', '--tree')).toEqual({ skill: 'code-review-swarm', tree: true });
    expect(parse('skill_run', 's', '--files', 'a', 'd/b', '--files=b c', 'task')).toEqual({
      skill: 's',
      task: 'task',
      files: ['a', 'd/b', 'b c'],
    });
    expect(parse('skill_run', '--files', 'a', '--top', '3', '--', '-s')).toEqual({ skill: '-s', top: 3, files: ['a'] });
    expect(parse('swarm_create', '--topology', 'mesh', '--max-agents=3', '--config', '{"a":1}')).toEqual({
      topology: 'mesh',
      maxAgents: 3,
      config: { a: 1 },
    });
  });

  test('values stay text where the schema takes any JSON', () => {
    expect(parse('memory_store', 'k', '{"a": 1}')).toEqual({ key: 'k', value: '{"a": 1}' });
    expect(parse('memory_store', 'k', '007')).toEqual({ key: 'k', value: '007' });
  });

  test('after -- everything is a word', () => {
    expect(parse('memory_store', '--', '--json', '--root')).toEqual({ key: '--json', value: '--root' });
    expect(takeGlobals(['--', '--json']).globals).toEqual({});
  });

  test('globals may stand anywhere', () => {
    const { globals, rest } = takeGlobals(['memory', '--json', 'get', '--root', '/x', 'k', '-h']);
    expect(globals).toEqual({ json: true, root: '/x', help: true });
    expect(rest.map(({ text }) => text)).toEqual(['memory', 'get', 'k']);
  });

  test.each<[string, readonly string[], RegExp]>([
    ['skill_run', ['s', '--lats', '3'], /--lats/],
    ['skill_run', ['s', '--last', 'three'], /--last is "three"; expected a number/],
    ['skill_run', ['s', '--last', '1,000'], /--last is "1,000"; expected a number/],
    ['skill_run', ['s', '--last', '1e999'], /--last is "1e999"; expected a number/],
    ['skill_run', ['s', '--last'], /--last needs a value/],
    ['skill_run', ['s', '--base', 'a', '--base', 'b'], /given twice/],
    ['skill_run', ['s', 'task', 'more'], /words too many: "more"/],
    ['skill_run', ['s', '-x'], /-x/],
    ['swarm_create', ['--config', '{nope'], /not JSON/],
    ['memory_get', ['k', '--key', 'k'], /by position and by flag/],
  ])('%s %j is refused by name', (name, argv, message) => {
    expect(() => parse(name, ...argv)).toThrow(message);
  });

  test.each([
    ['1e9', 1e9],
    ['.5', 0.5],
    ['+3', 3],
    ['-1.5E-3', -0.0015],
  ])('%s is a number', (text, value) => {
    expect(parse('skill_run', 's', `--last=${text}`)).toMatchObject({ last: value });
  });

  test('a flag of a command that is a global one too is named once', () => {
    expect(() => parse('memory_get', 'k', '--vershun', '9')).toThrow(
      expect.objectContaining({ hint: 'Did you mean --version?' }),
    );
  });

  test('a global flag that lacks its value is refused', () => {
    expect(() => takeGlobals(['--root'])).toThrow('--root needs a value');
  });
});

describe('--version', () => {
  const asks = (...argv: readonly string[]): readonly [boolean, boolean] => {
    const { globals, rest } = takeGlobals(argv);
    const words = rest.filter(({ text }) => !text.startsWith('-')).map(({ text }) => text);
    return [globals.version === true, asksVersion(rest, findCommand(words, listings)?.listing)];
  };

  test.each([[['--version']], [['--version', 'memory', 'get', 'k']], [['-v']], [['memory', 'get', 'k', '-v']]])(
    '%j is the global flag',
    (argv) => {
      expect(asks(...argv)).toEqual([true, false]);
    },
  );

  test.each([[['memory', '--version']], [['memory', 'list', '--version']], [['tools', '--version', '--json']]])(
    '%j asks for it too',
    (argv) => {
      expect(asks(...argv)).toEqual([false, true]);
    },
  );

  test.each<[readonly string[], RegExp]>([
    [['abc'], /--version is "abc"; expected a number/],
    [[], /--version needs a value/],
    [['none'], /--version is "none"/],
  ])('of memory get is its own: %j', (value, message) => {
    expect(asks('memory', 'get', 'k', '--version', ...value)).toEqual([false, false]);
    expect(() => parse('memory_get', 'k', '--version', ...value)).toThrow(message);
  });

  test('of memory get goes to its schema, which refuses what is no version', () => {
    expect(parse('memory_get', 'k', '--version', '-1')).toEqual({ key: 'k', version: -1 });
    expect(() => parse('memory_store', 'k', 'v', '--version', '2')).toThrow('there is no flag --version');
  });

  test('nothing after the equals sign of a list is an empty list', () => {
    expect(parse('memory_store', 'k', 'v', '--tags=')).toEqual({ key: 'k', value: 'v', tags: [] });
  });
});

describe('the listings', () => {
  test('every tool has a command of its own, and the longest one wins', () => {
    const commands = listings.map(({ cli }) => cli?.command.join(' '));
    expect(new Set(commands).size).toBe(listings.length);
    expect(findCommand(['memory', 'store', 'k'], listings)).toMatchObject({ taken: 2 });
    expect(findCommand(['nothing'], listings)).toBeUndefined();
  });

  test('names, descriptions and schemas are within what clients take', () => {
    for (const { name, description, inputSchema, outputSchema } of listings) {
      expect(`mcp__plugin_skillflow_skillflow__${name}`.length).toBeLessThanOrEqual(64);
      expect(description.length, name).toBeLessThan(400);
      expect(inputSchema.type).toBe('object');
      expect(outputSchema?.type, name).toBe('object');
      for (const keyword of ['anyOf', 'oneOf', 'allOf']) expect(Object.keys(inputSchema)).not.toContain(keyword);
    }
  });

  test('help and completions name every command and flag', () => {
    const text = overview('1.2.3', listings);
    const bash = completions('bash', listings);
    for (const entry of listings) {
      expect(text).toContain(entry.cli?.command.join(' '));
      expect(commandHelp(entry, listings)).toContain(usage(entry));
      expect(bash).toContain(entry.cli?.command.at(-1));
    }
    expect(() => completions('cmd.exe', listings)).toThrow('one of bash, zsh, fish');
  });
});
