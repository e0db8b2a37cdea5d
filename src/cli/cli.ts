import { InvalidInputError, NotFoundError, errorBody, toSkillflowError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { described, printableJson, shownName } from '../printable.ts';
import type { ToolListing } from '../tools/listing.ts';
import { SHELL_FLAGS, findCommand, asksVersion, parseInput, takeGlobals } from './arguments.ts';
import type { Words } from './arguments.ts';
import { completions } from './completions.ts';
import { OWN_COMMANDS, commandHelp, groupHelp, overview, ownCommandHelp } from './help.ts';
import {
  appFlags,
  callTool,
  callerOf,
  chooseFormat,
  chooseStyle,
  exitCodeOf,
  fail,
  member,
  say,
  show,
  showData,
  textOnStdin,
  withApp,
} from './session.ts';
import type { AppFlags, CliDeps, Session } from './session.ts';

import { showConfig } from './show-config.ts';
import { watchRun } from './watch-run.ts';

export type { AppFlags };

const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];

/** States of a run that goes on when somebody has done or answered something. */
const WAITING: ReadonlySet<string> = new Set(['awaiting_host', 'awaiting_approval', 'paused']);

/** States of a task that waits for other tasks. */
const UNBEGUN: ReadonlySet<string> = new Set(['blocked', 'not_started']);

/** The exit code of a run: 1 when it did not complete, or found what the user said to fail on; 3 when it waits. */
function runExit(output: unknown, failOn: string | undefined): number {
  const status = member(output, 'status');
  if (status === 'cancelled') return 130;
  if (typeof status === 'string' && WAITING.has(status)) return 3;
  if (status !== 'completed') return 1;
  if (failOn === undefined) return 0;
  const counts = member(output, 'bySeverity');
  return SEVERITIES.slice(0, SEVERITIES.indexOf(failOn) + 1).some((severity) => Number(member(counts, severity) ?? 0) > 0)
    ? 1
    : 0;
}

/** The exit code of a call that was answered. */
function exitOf(tool: string, output: unknown): number {
  // A task that waits for others has no run yet.
  if (tool === 'task_submit') return UNBEGUN.has(String(member(output, 'status'))) ? 3 : runExit(output, undefined);
  if (tool === 'run_replay') return member(output, 'identical') === true ? 0 : 1;
  if (Object.hasOwn(SHELL_FLAGS[tool] ?? {}, 'fail-on')) return runExit(output, undefined);
  return (tool === 'health' || tool === 'memory_doctor') && member(output, 'ok') === false ? 1 : 0;
}

/** Takes `--name value` out of the words; `undefined` when it is not there. */
function takeFlag(rest: Words['rest'], name: string): { readonly value: string | undefined; readonly rest: Words['rest'] } {
  const at = rest.findIndex(({ text, literal }) => !literal && (text === `--${name}` || text.startsWith(`--${name}=`)));
  if (at === -1) return { value: undefined, rest };
  const inline = rest[at]?.text.slice(name.length + 3);
  const separate = rest[at]?.text === `--${name}`;
  const value = separate ? rest[at + 1]?.text : inline;
  return { value: value ?? '', rest: [...rest.slice(0, at), ...rest.slice(at + (separate ? 2 : 1))] };
}

async function run(session: Session, listing: ToolListing, words: Words['rest']): Promise<number> {
  const { value: failOn, rest: others } = takeFlag(words, 'fail-on');
  if (failOn !== undefined && !SEVERITIES.includes(failOn)) {
    throw new InvalidInputError(`--fail-on is ${described(failOn)}; expected one of ${SEVERITIES.join(', ')}`, {
      hint: 'Nothing was run.',
    });
  }
  const rest = others.filter(({ text, literal }) => literal || text !== '--yes');
  const input = parseInput(listing, rest);
  const manner = { isYes: rest.length < others.length, isWatched: true };
  return withApp(session, async (app) => {
    const result = await callTool(session, app, listing.name, input, manner);
    if (!result.ok) return fail(session, result.error);
    await show(session, app, listing.name, result.output);
    // Who refuses an approval wants the run to end.
    const isRefused = input['approved'] === false && member(result.output, 'status') === 'cancelled';
    return isRefused ? 0 : runExit(result.output, failOn);
  });
}

/** Prints a run's events as they come, until the run has ended and all are printed. */
async function follow(session: Session, listing: ToolListing, rest: Words['rest']): Promise<number> {
  const input = parseInput(listing, rest);
  const asLines = session.format === 'json';
  if (!asLines && session.format !== 'text') {
    throw new InvalidInputError(`--follow prints a line for each event, which --format ${session.format} cannot`, {
      hint: 'Use --format json, or leave --follow out.',
    });
  }
  return withApp(session, async (app) => {
    let after = Number(input['after'] ?? 0);
    for (;;) {
      const result = await app.call(listing.name, { ...input, after, waitMs: 1000 }, callerOf(session));
      if (!result.ok) return fail(session, result.error);
      const events = member(result.output, 'events');
      const some = Array.isArray(events) && events.length > 0;
      if (some && asLines) for (const event of events) session.print(`${printableJson(JSON.stringify(event))}\n`);
      else if (some) await show(session, app, listing.name, { ...Object(result.output), more: false }); // the next page follows
      after = Number(member(result.output, 'next'));
      if (!some && member(result.output, 'status') !== 'running') return 0;
    }
  });
}

/** A comma is a part of a tag like any other character, and who wrote one may have meant several tags. */
function warnOfCommas({ complain }: Session, { tags }: Readonly<Record<string, unknown>>): void {
  const [odd]: readonly unknown[] = Array.isArray(tags) ? tags.filter((tag) => String(tag).includes(',')) : [];
  if (odd !== undefined) complain(`skillflow: ${described(odd)} is one tag, comma and all; several are: --tags one two\n`);
}

async function plainTool(session: Session, listing: ToolListing, rest: Words['rest']): Promise<number> {
  const input = { ...parseInput(listing, rest) };
  for (const [property, value] of Object.entries(input)) {
    // A lone dash is the text on stdin, as elsewhere in the shell.
    if (value === '-' && listing.cli?.positional?.at(-1) === property) input[property] = await textOnStdin(session);
  }
  warnOfCommas(session, input);
  return withApp(session, async (app) => {
    const result = await callTool(session, app, listing.name, input, { isWatched: !listing.annotations.readOnly });
    if (!result.ok) return fail(session, result.error);
    await show(session, app, listing.name, result.output);
    return exitOf(listing.name, result.output);
  });
}

async function callByName(session: Session, [name, text]: readonly string[]): Promise<number> {
  if (name === undefined)
    throw new InvalidInputError('call needs the name of a tool', {
      hint: 'For instance: skillflow call memory_get \'{"key": "k"}\'. List them with skillflow tools.',
    });
  const written = text === '-' ? await textOnStdin(session) : (text ?? '{}');
  let input: unknown;
  try {
    input = JSON.parse(written);
  } catch (error) {
    // What the parser says shows a part of the text.
    throw new InvalidInputError(`the input of ${name} is not JSON`, {
      hint: 'For instance \'{"key": "k"}\'.',
      cause: error,
    });
  }
  return withApp(session, async (app) => {
    const { names } = app.legacy;
    if (names.supported.includes(name) || names.unsupported.includes(name)) {
      const { body, error } = await app.legacy.call(name, input, callerOf(session));
      // What legacy callers parse is JSON, whatever else is asked for.
      session.print(`${printableJson(JSON.stringify(body, null, session.format === 'json' ? 0 : 2))}\n`);
      return error === undefined ? 0 : exitCodeOf(error);
    }
    const drives = session.listings.some((one) => one.name === name && !one.annotations.readOnly);
    const result = await callTool(session, app, name, input, { isWatched: drives });
    if (!result.ok) return fail(session, result.error);
    await showData(session, result.output);
    return exitOf(name, result.output);
  });
}

async function showTools(session: Session): Promise<number> {
  const { listings, format, print } = session;
  if (format !== 'text') {
    await showData(session, { tools: listings.map(({ cli: _shell, ...listing }) => listing) });
    return 0;
  }
  for (const { name, description, listed } of listings) print(`${name.padEnd(18)} ${listed ? ' ' : '+'} ${description}\n`);
  print('\n+ MCP clients see it with `skillflow mcp --tools all`; it can be called either way.\n');
  return 0;
}

/** Of words whose first is a group of commands, as `memory`. */
function unknownInGroup([group = '', word]: readonly string[], commands: readonly (readonly string[])[]): NotFoundError {
  const members = commands.flatMap(([, ...rest]) => (rest.length === 0 ? [] : [rest.join(' ')]));
  const near = word === undefined ? [] : nearest(word, members);
  const message = word === undefined ? `${group} needs another word` : `there is no command ${shownName(word)} of ${group}`;
  return new NotFoundError(message, {
    hint:
      near.length > 0
        ? `Did you mean ${near.map((one) => `skillflow ${group} ${one}`).join(' or ')}?`
        : `See skillflow ${group} --help.`,
  });
}

function unknownCommand(words: readonly string[], listings: readonly ToolListing[]): NotFoundError {
  const inGroup = listings.flatMap(({ cli }) => (cli !== undefined && cli.command[0] === words[0] ? [cli.command] : []));
  if (inGroup.length > 0) return unknownInGroup(words, inGroup);
  const commands = [
    ...listings.map(({ cli }) => cli?.command.join(' ') ?? ''),
    ...OWN_COMMANDS.map(({ words: own }) => own.split(' ')[0] ?? ''),
  ];
  const near = [...new Set([...nearest(words.slice(0, 2).join(' '), commands), ...nearest(words[0] ?? '', commands)])];
  return new NotFoundError(`there is no command ${shownName(words[0] ?? '')}`, {
    hint: near.length > 0 ? `Did you mean skillflow ${near.slice(0, 3).join(' or skillflow ')}?` : 'See skillflow --help.',
  });
}

/** A flag without its value: `--x` of `--x=value`, `-p` of `-pvalue`. */
const flagName = (text: string): string => (text.startsWith('--') ? (text.split('=')[0] ?? '') : text.slice(0, 2));

/** The words after a command that is no tool: at most `most` of them, and no flags. */
function wordsOf(command: string, rest: Words['rest'], most: number): readonly string[] {
  const hint = `See skillflow ${command} --help.`;
  const flag = rest.find(({ text, literal }) => !literal && /^-./s.test(text));
  if (flag !== undefined) throw new InvalidInputError(`there is no flag ${flagName(flag.text)} for ${command}`, { hint });
  const [extra] = rest.slice(most);
  if (extra !== undefined) throw new InvalidInputError(`${command} does not take ${described(extra.text)}`, { hint });
  return rest.map(({ text }) => text);
}

async function serveMcp(session: Session, rest: Words['rest']): Promise<number> {
  const { value: tools, rest: words } = takeFlag(rest, 'tools');
  const [start] = wordsOf('mcp', words, 1);
  const hint = 'See skillflow mcp --help.';
  if (start !== undefined && start !== 'start') throw new InvalidInputError(`mcp does not take ${described(start)}`, { hint });
  if (tools !== undefined && tools !== 'default' && tools !== 'all')
    throw new InvalidInputError(`--tools is ${described(tools)}; expected default or all`, { hint });
  if (session.globals.format === 'text')
    throw new InvalidInputError('--format text is for people; mcp takes json, toon or auto', { hint });
  await session.serveMcp({
    ...appFlags(session),
    ...(tools === undefined ? {} : { mcpTools: tools }),
    ...(session.format === 'text' ? {} : { output: session.format }),
  });
  return 0;
}

/** Commands that are no tools; `undefined` when the first word is none of them. */
async function ownCommand(session: Session, first: string, rest: Words['rest']): Promise<number | undefined> {
  if (first === 'mcp') return serveMcp(session, rest);
  if (first === 'watch') return watchRun(session, wordsOf(first, rest, 1)[0]);
  if (first === 'call') return callByName(session, wordsOf(first, rest, 2));
  if (first === 'completions') {
    const [shell] = wordsOf(first, rest, 1);
    await say(session, 'script', completions(shell, session.listings));
    return 0;
  }
  if (first !== 'tools' && first !== 'config') return undefined;
  wordsOf(first, rest, 0);
  return first === 'tools' ? showTools(session) : showConfig(session);
}

async function showHelp(session: Session, words: readonly string[]): Promise<number> {
  const { version, listings } = session;
  const [first = ''] = words;
  const found = findCommand(words, listings);
  const text =
    words.length === 0
      ? overview(version, listings)
      : found !== undefined
        ? commandHelp(found.listing, listings)
        : (ownCommandHelp(first) ?? groupHelp(first, listings));
  if (text === undefined) throw unknownCommand(words, listings);
  await say(session, 'help', text);
  return 0;
}

function withoutCommand(session: Session, [flag]: Words['rest']): number {
  const hint = 'See skillflow --help.';
  if (flag !== undefined) throw new InvalidInputError(`there is no flag ${flagName(flag.text)}`, { hint });
  if (session.format !== 'text') throw new InvalidInputError('there is no command', { hint });
  session.print(overview(session.version, session.listings));
  return 2;
}

async function dispatch(session: Session, rest: Words['rest']): Promise<number> {
  const { listings, globals, version, format } = session;
  const words = rest.filter(({ text, literal }) => literal || !text.startsWith('-')).map(({ text }) => text);
  const [first] = words;
  if (globals.help === true || first === 'help') return showHelp(session, first === 'help' ? words.slice(1) : words);
  const found = findCommand(words, listings);
  if (globals.version === true || asksVersion(rest, found?.listing) || first === 'version') {
    await say(session, 'version', format === 'text' ? `${version}\n` : version);
    return 0;
  }
  if (first === undefined) return withoutCommand(session, rest);
  if (found === undefined) {
    const code = await ownCommand(session, first, dropWords(rest, 1));
    if (code === undefined) throw unknownCommand(words, listings);
    return code;
  }
  const { listing, taken } = found;
  const after = dropWords(rest, taken);
  if (Object.hasOwn(SHELL_FLAGS[listing.name] ?? {}, 'fail-on')) return run(session, listing, after);
  if (listing.name === 'run_events' && after.some(({ text, literal }) => !literal && text === '--follow')) {
    return follow(
      session,
      listing,
      after.filter(({ text, literal }) => literal || text !== '--follow'),
    );
  }
  return plainTool(session, listing, after);
}

/** The words without the first `count` that are no flags: the command's own. */
function dropWords(rest: Words['rest'], count: number): Words['rest'] {
  let left = count;
  return rest.filter(({ text, literal }) => {
    if (left === 0 || (!literal && text.startsWith('-'))) return true;
    left -= 1;
    return false;
  });
}

/** Runs one command line; resolves with the exit code. Never rejects. */
export async function runCli(deps: CliDeps): Promise<number> {
  let session: Session = {
    ...deps,
    globals: {},
    ...chooseStyle(deps, {}),
    format: deps.argv.includes('--json') ? 'json' : 'text',
  };
  try {
    const { globals, rest } = takeGlobals(deps.argv);
    session = { ...session, globals, ...chooseStyle(deps, globals) };
    session = { ...session, format: chooseFormat(globals) };
    return await dispatch(session, rest);
  } catch (thrown) {
    const error = toSkillflowError(thrown);
    if (error.code === 'internal' && session.globals.verbose === true) deps.complain(`${error.stack ?? ''}\n`);
    return fail(session, errorBody(error));
  }
}
