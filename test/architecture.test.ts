import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** The import ladder, top first. A module may import from its own place and from rungs below it, never sideways. */
const LADDER: readonly (readonly string[])[] = [
  ['bin', 'index', 'listings'],
  ['open-app'],
  ['app'],
  ['mcp', 'cli', 'http'],
  ['compat'],
  ['legacy'],
  ['tools'],
  ['executor'],
  ['run'],
  ['agent', 'analysis', 'mail', 'memory', 'skill', 'swarm', 'trace'],
  ['store'],
  ['events', 'config', 'finding', 'ballot', 'changes'],
  ['errors', 'runtime', 'nearest', 'printable'],
];

/** Imports that go sideways on purpose: words that are made of other words, and errors that the runtime throws. */
const SAME_RUNG: readonly string[] = ['events → ballot', 'events → finding', 'events → changes', 'runtime → errors'];

function sources(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

const FILES = [...sources('src'), ...sources('compat')];
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** `src/run/report/json.ts` → `run`; `src/app.ts` → `app`; `compat/x.ts` → `compat`. */
function placeOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'compat' ? 'compat' : second.replace(/\.ts$/, '');
}

function rungOf(place: string): number {
  return LADDER.findIndex((rung) => rung.includes(place));
}

function importsOf(file: string): readonly string[] {
  const found = textOf(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...found].map(([, specifier = '']) => posix.normalize(posix.join(posix.dirname(file), specifier)));
}

/** Comments and texts of messages may name an effect; code may not have it. */
function codeOf(file: string): string {
  return textOf(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
    .replaceAll(/`(?:[^`\\]|\\[\s\S])*`|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}

describe('imports', () => {
  test('every module has a place on the ladder', () => {
    expect(FILES.filter((file) => rungOf(placeOf(file)) === -1)).toEqual([]);
  });

  test('go down only', () => {
    const wrong = FILES.flatMap((file) => {
      const from = placeOf(file);
      return importsOf(file).flatMap((target) => {
        const to = placeOf(target);
        const fine = from === to || rungOf(to) > rungOf(from) || SAME_RUNG.includes(`${from} → ${to}`);
        return fine ? [] : [`${file} → ${target}`];
      });
    });
    expect(wrong).toEqual([]);
  });

  test('a provider, an analyzer, a skill know nothing of the surfaces', () => {
    const sdk = FILES.filter((file) => /from '@modelcontextprotocol\//.test(textOf(file)) && placeOf(file) !== 'mcp');
    expect(sdk).toEqual([]);
  });
});

describe('effects', () => {
  const homes: readonly { readonly effect: RegExp; readonly at: readonly string[] }[] = [
    { effect: /\bMath\.random\b/, at: ['src/runtime.ts'] },
    { effect: /\bDate\.now\b|\bnew Date\(\)/, at: ['src/runtime.ts'] },
    { effect: /\bprocess\.env\b/, at: ['src/runtime.ts', 'src/bin.ts'] },
    { effect: /\bprocess\.exit\b/, at: ['src/bin.ts'] },
    { effect: /\bprocess\.(?:stdout|stderr|stdin)\b/, at: ['src/runtime.ts', 'src/bin.ts'] },
    { effect: /\bconsole\./, at: [] },
    { effect: /from 'node:child_process'/, at: ['src/runtime.ts'] },
  ];

  test.each(homes)('$effect lives only in $at', ({ effect, at }) => {
    const elsewhere = FILES.filter(
      (file) => !at.includes(file) && effect.test(effect.source.includes('from ') ? textOf(file) : codeOf(file)),
    );
    expect(elsewhere).toEqual([]);
  });

  test('nothing runs through a shell', () => {
    expect(FILES.filter((file) => /\bshell:\s*true\b/.test(codeOf(file)))).toEqual([]);
  });
});

describe('style', () => {
  test('no file is over 500 lines', () => {
    expect(FILES.filter((file) => textOf(file).split('\n').length > 501)).toEqual([]);
  });

  test('files are kebab-case and no grab-bags', () => {
    const names = FILES.map((file) => posix.basename(file, '.ts'));
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    expect(names.filter((name) => /manager|engine|enhanced|advanced|unified|utils|helpers/.test(name))).toEqual([]);
  });

  test('zod comes as a namespace, or the bundler keeps the messages of all its languages', () => {
    expect(FILES.filter((file) => /^import \{[^}]*\} from 'zod'/m.test(textOf(file)))).toEqual([]);
  });

  test('no cast, no any, no silenced checker', () => {
    const silenced = FILES.filter((file) =>
      /@ts-(?:ignore|expect-error|nocheck)|:\s*any\b|\bas\s+any\b|<any>/.test(codeOf(file)),
    );
    expect(silenced).toEqual([]);
    const code = (file: string): string => codeOf(file).replaceAll(/^(?:import|export)[^;]*;/gm, '');
    expect(FILES.filter((file) => /[\w)\]}]\s+as\s+(?!const\b)[A-Za-z{[]/.test(code(file)))).toEqual([]);
  });
});
