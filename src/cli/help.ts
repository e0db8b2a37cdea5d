import type { JsonSchema, ToolListing } from '../tools/listing.ts';
import { createCallWords, flagOf } from '../executor/call-words.ts';
import { GLOBAL_FLAGS, SHELL_FLAGS, usage } from './arguments.ts';

type Flags = Readonly<Record<string, { readonly takes: string | null; readonly about: string }>>;

/** Commands that are no tools. */
export const OWN_COMMANDS: readonly { readonly words: string; readonly about: string; readonly flags?: Flags }[] = [
  {
    words: 'mcp',
    about: 'Serves MCP on stdin and stdout, for Claude Code and other clients.',
    flags: { tools: { takes: 'default|all', about: 'which tools clients see; all of them can be called' } },
  },
  { words: 'watch <runId>', about: 'Shows a run that goes on elsewhere, on a terminal, until it ends or waits.' },
  { words: 'tools', about: 'Lists the MCP tools; with --json, their schemas.' },
  { words: 'call <tool> [json]', about: 'Calls a tool by its MCP name, legacy names too.' },
  { words: 'config', about: 'Shows the settings and where each comes from.' },
  { words: 'completions <bash|zsh|fish>', about: 'Prints a completion script for your shell.' },
];

const firstSentence = (text: string): string => /^.*?[.;](?=\s|$)/s.exec(text)?.[0].replace(/;$/, '.') ?? text;

function aligned(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd()).join('\n');
}

function flagRows(flags: Flags): readonly (readonly [string, string])[] {
  return Object.entries(flags).map(([name, { takes, about }]): [string, string] => [
    `--${name}${takes === null ? '' : ` ${takes}`}`,
    about,
  ]);
}

type Say = (text: string) => string;

/** Texts that name tools, with their commands instead. */
function sayer(listings: readonly ToolListing[]): Say {
  const callWords = createCallWords(listings, true);
  return (text) => callWords(text, 'cli').replaceAll('`', '');
}

function commandRows(listings: readonly ToolListing[], say: Say): readonly (readonly [string, string])[] {
  return listings.flatMap((listing): [string, string][] =>
    listing.cli === undefined ? [] : [[usage(listing).replace(' [flags]', ''), say(firstSentence(listing.description))]],
  );
}

/** `skillflow --help`. */
export function overview(version: string, listings: readonly ToolListing[]): string {
  const own = OWN_COMMANDS.map(({ words, about }): [string, string] => [words, about]);
  return [
    `skillflow ${version}: skills that run real multi-agent work`,
    '',
    'Usage: skillflow <command> [flags]',
    '',
    'Start here:',
    '  skillflow run code-review-swarm --base main    review what you changed since main',
    '  skillflow run code-review-swarm --tree         review everything',
    '  skillflow run research-swarm "How does …?" --provider claude-cli',
    '                                                 have agents of a model look into a question; this costs money',
    '',
    'Who thinks, where no analyzer can: --provider anthropic (with ANTHROPIC_API_KEY) or --provider claude-cli (with Claude',
    'Code on PATH), both paid and asked for by you alone; within Claude Code, by its MCP server, Claude itself. See skillflow health.',
    '',
    'Commands:',
    aligned([...commandRows(listings, sayer(listings)), ...own]),
    '',
    'Flags of every command:',
    aligned(flagRows(GLOBAL_FLAGS)),
    '',
    'More on a command: skillflow <command> --help',
    '',
  ].join('\n');
}

function propertyRow(property: string, schema: JsonSchema, isRequired: boolean): [string, string] {
  const takes =
    schema.type === 'boolean'
      ? ''
      : ` ${schema.enum === undefined ? String(schema.type ?? 'value').toUpperCase() : schema.enum.map(String).join('|')}`;
  const limits = [
    isRequired ? 'required' : '',
    schema.default === undefined || schema.default === '' ? '' : `default ${JSON.stringify(schema.default)}`,
    schema.type === 'array' ? 'one or more' : '',
  ].filter((part) => part !== '');
  const flag = isRequired && schema.type === 'boolean' ? `[no-]${flagOf(property)}` : flagOf(property);
  return [`--${flag}${takes}`, `${schema.description ?? ''}${limits.length === 0 ? '' : ` (${limits.join(', ')})`}`.trim()];
}

/** What only holds in a shell, by the tool's name. */
const NOTES: Readonly<Record<string, readonly string[]>> = {
  memory_get: [
    'On a terminal, characters that would steer it are spelled out. Into a file or a pipe the value goes exactly as it was\n' +
      'stored, nothing added: skillflow memory get <key> > file. A value that is no text goes as JSON and a line break.',
  ],
  memory_store: [
    'Tags, kind and importance stay as they were unless they are given; --tags= takes all tags away. Everything else is of\n' +
      'this write. When an entry expires, its earlier versions are gone with it.',
  ],
  memory_supersede: [
    'Taken back by: skillflow memory link <by> <key> --kind supersedes --remove. Storing <key> anew makes it hold again too.',
  ],
};

function notes(listing: ToolListing): readonly string[] {
  const last = listing.cli?.positional?.at(-1);
  const type = last === undefined ? 'array' : listing.inputSchema.properties?.[last]?.type;
  const stdin = type === undefined || type === 'string' ? [`A lone - as <${last}> is the text on stdin, in UTF-8.`] : [];
  return [...(NOTES[listing.name] ?? []), ...stdin];
}

/** `skillflow <command> --help`. */
export function commandHelp(listing: ToolListing, listings: readonly ToolListing[]): string {
  const say = sayer(listings);
  const rows = [
    ...Object.entries(listing.inputSchema.properties ?? {}).map(([property, schema]): [string, string] => {
      const [flag, about] = propertyRow(property, schema, listing.inputSchema.required?.includes(property) === true);
      return [flag, say(about)];
    }),
    ...flagRows(SHELL_FLAGS[listing.name] ?? {}),
  ];
  return [
    `Usage: skillflow ${usage(listing)}`,
    '',
    say(listing.description),
    ...notes(listing).flatMap((note) => ['', note]),
    ...(rows.length === 0 ? [] : ['', 'Flags:', aligned(rows)]),
    '',
    'Flags of every command:',
    aligned(flagRows(GLOBAL_FLAGS)),
    '',
    `MCP tool: ${listing.name}`,
    '',
  ].join('\n');
}

/** `skillflow config --help`: a command that is no tool; `undefined` when there is none of that name. */
export function ownCommandHelp(name: string): string | undefined {
  const command = OWN_COMMANDS.find(({ words }) => words.split(' ')[0] === name);
  if (command === undefined) return undefined;
  return [
    `Usage: skillflow ${command.words}`,
    '',
    command.about,
    ...(command.flags === undefined ? [] : ['', 'Flags:', aligned(flagRows(command.flags))]),
    '',
    'Flags of every command:',
    aligned(flagRows(GLOBAL_FLAGS)),
    '',
  ].join('\n');
}

/** `skillflow memory --help`: the commands that begin with a word; `undefined` when none does. */
export function groupHelp(word: string, listings: readonly ToolListing[]): string | undefined {
  const members = listings.filter(({ cli }) => cli?.command[0] === word);
  if (members.length === 0) return undefined;
  return [`Commands of skillflow ${word}:`, aligned(commandRows(members, sayer(listings))), ''].join('\n');
}
