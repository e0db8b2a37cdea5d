import { InvalidInputError } from '../errors.ts';
import { flagOf } from '../executor/call-words.ts';
import { nearest } from '../nearest.ts';
import { described } from '../printable.ts';
import type { JsonSchema, ToolListing } from '../tools/listing.ts';

/** Flags that every command takes, with what follows them and what they mean. */
export const GLOBAL_FLAGS = {
  help: { takes: null, about: 'show help' },
  json: { takes: null, about: 'print JSON' },
  format: { takes: 'FORMAT', about: 'print text, json, toon, or auto: the shorter of json and toon' },
  root: { takes: 'DIR', about: 'project root (default: found from the current directory)' },
  'read-only': { takes: null, about: 'refuse everything that changes data' },
  threads: { takes: 'N', about: 'worker threads for analysis (default: as many as fit)' },
  color: { takes: null, about: 'colours even where the output is no terminal' },
  'no-color': { takes: null, about: 'no colours' },
  verbose: { takes: null, about: 'log more, to stderr' },
  version: { takes: null, about: 'show the version' },
} as const;

const FAIL_ON = {
  takes: 'SEVERITY',
  about: 'exit with 1 when a finding this bad or worse was not rejected: critical, high, medium, low, info',
} as const;
const YES = { takes: null, about: 'agree to all that the run asks approval for, spending too' } as const;

/** Flags that the shell adds to a tool's own, by the tool's name. */
export const SHELL_FLAGS: Readonly<
  Record<string, Readonly<Record<string, { readonly takes: string | null; readonly about: string }>>>
> = {
  skill_run: { 'fail-on': FAIL_ON, yes: YES },
  run_resume: { 'fail-on': FAIL_ON, yes: YES },
  run_retry: { 'fail-on': FAIL_ON, yes: YES },
  run_approve: { 'fail-on': FAIL_ON, yes: YES },
  run_events: { follow: { takes: null, about: 'print events as they come, until the run ends or waits' } },
};

type GlobalFlag = keyof typeof GLOBAL_FLAGS;

export type Globals = Readonly<Partial<Record<GlobalFlag, string | true>>>;

/** Words, flags and globals of a command line, before anyone knows which command it is. */
export interface Words {
  readonly globals: Globals;
  /** What is left, in order; everything after `--` is a word. */
  readonly rest: readonly { readonly text: string; readonly literal: boolean }[];
}

const SHORT_FLAGS: ReadonlyMap<string, string> = new Map([
  ['-h', '--help'],
  ['-v', '--version'],
]);

function isGlobal(name: string): name is GlobalFlag {
  return Object.hasOwn(GLOBAL_FLAGS, name);
}

/** Takes the global flags out of a command line; `--version` only before all words, since some commands have their own. */
export function takeGlobals(argv: readonly string[]): Words {
  const globals: Partial<Record<GlobalFlag, string | true>> = {};
  const rest: { text: string; literal: boolean }[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const text = argv[at] ?? '';
    if (text === '--') {
      rest.push(...argv.slice(at + 1).map((word) => ({ text: word, literal: true })));
      break;
    }
    const [, name = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(SHORT_FLAGS.get(text) ?? text) ?? [];
    // After a command's words it may be a flag of that command.
    const isLater = rest.length > 0 && /^--version(=|$)/.test(text);
    if (!isGlobal(name) || isLater) {
      rest.push({ text, literal: false });
    } else if (GLOBAL_FLAGS[name].takes === null) {
      if (inline !== undefined)
        throw new InvalidInputError(`--${name} takes no value`, { hint: `Give --${name} alone, or leave it out.` });
      globals[name] = true;
    } else {
      const value = inline ?? argv[(at += 1)];
      if (value === undefined)
        throw new InvalidInputError(`--${name} needs a value`, { hint: `Give --${name} ${GLOBAL_FLAGS[name].takes}.` });
      globals[name] = value;
    }
  }
  return { globals, rest };
}

/** The listing whose command the words begin with, the longest one first; and how many words it took. */
export function findCommand(
  words: readonly string[],
  listings: readonly ToolListing[],
): { readonly listing: ToolListing; readonly taken: number } | undefined {
  const fits = listings.flatMap((listing) => {
    const command = listing.cli?.command ?? [];
    return command.length > 0 && command.every((word, at) => words[at] === word) ? [{ listing, taken: command.length }] : [];
  });
  return fits.sort((a, b) => b.taken - a.taken)[0];
}

function kindOf(schema: JsonSchema | undefined): string {
  return typeof schema?.type === 'string' ? schema.type : 'any';
}

/** How people write a number: `3`, `-0.5`, `.5`, `1e6`. */
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,2})?$/i;

function coerce(where: string, text: string, schema: JsonSchema | undefined): unknown {
  const kind = kindOf(schema);
  if (kind === 'integer' || kind === 'number') {
    if (!NUMBER.test(text))
      throw new InvalidInputError(`${where} is ${described(text)}; expected a number`, { hint: 'Nothing was changed.' });
    return Number(text);
  }
  if (kind === 'object') {
    try {
      const value: unknown = JSON.parse(text);
      return value;
    } catch (error) {
      // What the parser says shows a part of the text.
      throw new InvalidInputError(`${where} is ${described(text)}, which is not JSON`, {
        hint: 'For instance \'{"a": 1}\'.',
        cause: error,
      });
    }
  }
  return text;
}

/** Names of a command's own flags, without the dashes. */
export function flagsOf({ name, inputSchema }: ToolListing): readonly string[] {
  return [...Object.keys(inputSchema.properties ?? {}).map(flagOf), ...Object.keys(SHELL_FLAGS[name] ?? {})];
}

/** @param dashes what stood before the name; of `-psecret` only the letter is a name */
function unknownFlag(name: string, listing: ToolListing, dashes = '--'): InvalidInputError {
  const near = nearest(name, [...new Set([...flagsOf(listing), ...Object.keys(GLOBAL_FLAGS)])]);
  const command = listing.cli?.command.join(' ') ?? listing.name;
  return new InvalidInputError(`there is no flag ${dashes}${name} for ${command}`, {
    hint: near.length > 0 ? `Did you mean --${near.join(' or --')}?` : `See skillflow ${command} --help.`,
  });
}

function toBoolean(name: string, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidInputError(`--${name} is ${described(text)}; expected true or false`, {
    hint: `Give --${name} alone, or leave it out.`,
  });
}

interface Draft {
  readonly input: Record<string, unknown>;
  readonly words: string[];
}

function addValue({ input }: Draft, property: string, schema: JsonSchema, text: string, isInline = false): void {
  if (kindOf(schema) !== 'array') {
    if (Object.hasOwn(input, property))
      throw new InvalidInputError(`--${flagOf(property)} was given twice`, { hint: 'Give it once.' });
    input[property] = coerce(`--${flagOf(property)}`, text, schema);
    return;
  }
  const before = input[property];
  const some: readonly unknown[] = Array.isArray(before) ? before : [];
  // Nothing after the equals sign is an empty list.
  input[property] = text === '' && isInline ? some : [...some, coerce(`--${flagOf(property)}`, text, schema.items)];
}

function placeWords({ input, words }: Draft, listing: ToolListing): void {
  const positional = listing.cli?.positional ?? [];
  const properties = listing.inputSchema.properties ?? {};
  for (const [at, property] of positional.entries()) {
    const word = words[at];
    if (word === undefined) break;
    const schema = properties[property];
    if (Object.hasOwn(input, property))
      throw new InvalidInputError(`${property} was given by position and by flag`, { hint: 'Give it once.' });
    input[property] =
      kindOf(schema) === 'array'
        ? words.slice(at).map((text) => coerce(property, text, schema?.items))
        : coerce(property, word, schema);
    if (kindOf(schema) === 'array') return;
  }
  const extra = words.slice(positional.length);
  if (extra.length > 0) {
    throw new InvalidInputError(`there are words too many: ${extra.map(described).join(', ')}`, {
      hint: `Quote a text of several words. Usage: skillflow ${usage(listing)}`,
    });
  }
}

/** Whether `--version`, without a value, asks for the program's: the command has no such flag, or there is none. */
export function asksVersion(rest: Words['rest'], command: ToolListing | undefined): boolean {
  if (command !== undefined && flagsOf(command).includes('version')) return false;
  return rest.some(({ text, literal }, at) => !literal && text === '--version' && (rest[at + 1]?.text ?? '-').startsWith('-'));
}

/** `memory store <key> <value> [flags]`; flags that must be given are named. */
export function usage({ cli, inputSchema, name }: ToolListing): string {
  const required = inputSchema.required ?? [];
  const positional = (cli?.positional ?? []).map((property) => (required.includes(property) ? `<${property}>` : `[${property}]`));
  const flags = required
    .filter((property) => cli?.positional?.includes(property) !== true)
    .map((property) => {
      const schema = inputSchema.properties?.[property];
      return kindOf(schema) === 'boolean' ? `--[no-]${flagOf(property)}` : `--${flagOf(property)} <${property}>`;
    });
  return [...(cli?.command ?? [name]), ...positional, ...flags, '[flags]'].join(' ');
}

/** How a required parameter is given. */
function askedFor(property: string, { cli, inputSchema }: ToolListing): string {
  if (cli?.positional?.includes(property) === true) return `<${property}>`;
  const flag = flagOf(property);
  const schema = inputSchema.properties?.[property];
  return kindOf(schema) === 'boolean' ? `--${flag} or --no-${flag}` : `--${flag}`;
}

function requireAll(input: Readonly<Record<string, unknown>>, listing: ToolListing): void {
  const missing = (listing.inputSchema.required ?? []).filter((property) => !Object.hasOwn(input, property));
  if (missing.length === 0) return;
  const command = listing.cli?.command.join(' ') ?? listing.name;
  throw new InvalidInputError(`${command} needs ${missing.map((property) => askedFor(property, listing)).join(' and ')}`, {
    hint: `Usage: skillflow ${usage(listing)}. See skillflow ${command} --help.`,
  });
}

type Word = Words['rest'][number];

function takesMore(schema: JsonSchema, inline: string | undefined, next: Word | undefined): next is Word {
  return kindOf(schema) === 'array' && inline === undefined && next !== undefined && !next.literal && !next.text.startsWith('-');
}

/** A tool's input from the words after its command. Throws `InvalidInputError`; the tool's own schema checks the rest. */
export function parseInput(listing: ToolListing, rest: Words['rest']): Readonly<Record<string, unknown>> {
  const properties = new Map(
    Object.entries(listing.inputSchema.properties ?? {}).map(([property, schema]) => [flagOf(property), { property, schema }]),
  );
  const draft: Draft = { input: {}, words: [] };
  for (let at = 0; at < rest.length; at += 1) {
    const { text = '', literal = false } = rest[at] ?? {};
    const [, name, inline] = literal ? [] : (/^--([^=]+)(?:=(.*))?$/s.exec(text) ?? []);
    if (name === undefined) {
      if (!literal && /^-[a-zA-Z]/.test(text)) throw unknownFlag(text.slice(1, 2), listing, '-');
      draft.words.push(text);
      continue;
    }
    const known = properties.get(name);
    const negated = name.startsWith('no-') ? properties.get(name.slice(3)) : undefined;
    if (known === undefined && negated !== undefined && kindOf(negated.schema) === 'boolean' && inline === undefined) {
      draft.input[negated.property] = false;
      continue;
    }
    if (known === undefined) throw unknownFlag(name, listing);
    if (kindOf(known.schema) === 'boolean') {
      draft.input[known.property] = toBoolean(name, inline ?? 'true');
      continue;
    }
    const value = inline ?? rest[(at += 1)]?.text;
    if (value === undefined)
      throw new InvalidInputError(`--${name} needs a value`, { hint: `Usage: skillflow ${usage(listing)}` });
    addValue(draft, known.property, known.schema, value, inline !== undefined);
    // A list takes all words up to the next flag, as a shell writes them: --files $(git diff --name-only)
    for (let next = rest[at + 1]; takesMore(known.schema, inline, next); next = rest[at + 1]) {
      at += 1;
      addValue(draft, known.property, known.schema, next.text);
    }
  }
  placeWords(draft, listing);
  requireAll(draft.input, listing);
  return draft.input;
}
