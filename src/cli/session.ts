import { InvalidInputError } from '../errors.ts';
import type { ErrorBody, ErrorCode } from '../errors.ts';
import type { CallResult, Caller } from '../executor/executor.ts';
import type { LegacyAnswer } from '../legacy/translate.ts';
import { described, printable, printableJson, printableLines } from '../printable.ts';
import { DATA_FORMATS, formatData, isDataFormat } from '../tools/format-data.ts';
import type { DataFormat } from '../tools/format-data.ts';
import { spendingWords } from '../run/spending-words.ts';
import type { ToolListing } from '../tools/listing.ts';
import type { App, TextStyle } from '../tools/tool.ts';
import type { Globals } from './arguments.ts';
import { createProgressLine } from './progress-line.ts';
import type { ProgressLine } from './progress-line.ts';
import { canWatch, createWatching, personAt } from './watching.ts';
import type { Watching } from './watching.ts';

/** What the commands call; the composed app has it. */
export interface CliApp extends AsyncDisposable {
  readonly app: Pick<App, 'config' | 'runs' | 'runtime'>;
  readonly legacy: {
    readonly names: { readonly supported: readonly string[]; readonly unsupported: readonly string[] };
    call(name: string, args: unknown, caller: Caller): Promise<LegacyAnswer>;
  };
  call(tool: string, input: unknown, caller: Caller): Promise<CallResult>;
  render(tool: string, output: unknown, style: TextStyle): Promise<string>;
}

/** Settings given as flags. */
export interface AppFlags {
  readonly root?: string;
  readonly readOnly?: boolean;
  readonly threads?: string;
  /** Of the MCP server: which tools it lists, and how it writes what they answer. */
  readonly mcpTools?: string;
  readonly output?: string;
}

export interface CliDeps {
  readonly argv: readonly string[];
  readonly version: string;
  readonly listings: readonly ToolListing[];
  readonly openApp: (flags: AppFlags) => Promise<CliApp>;
  /** Serves MCP on stdin and stdout until the client leaves. */
  readonly serveMcp: (flags: AppFlags) => Promise<void>;
  /** Writes to stdout, to stderr. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly readStdin: () => Promise<Uint8Array>;
  /** Reads a line from stdin; `null` when it has ended or the signal aborts. */
  readonly readLine: (signal: AbortSignal) => Promise<string | null>;
  /** Drops what was typed on stdin so far. */
  readonly dropTyped: () => Promise<void>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdinTty: boolean;
  readonly stdoutTty: boolean;
  readonly stderrTty: boolean;
  /** Of the terminal that stdout goes to; very many where it is none, so that what is piped is not cut. */
  readonly columns: number;
  /** Of the terminal that stderr goes to, now. */
  readonly stderrSize: () => { readonly columns: number; readonly rows: number };
  /** Monotonic milliseconds. */
  readonly ticks: () => number;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
}

const EXIT: Readonly<Partial<Record<ErrorCode, number>>> = { invalid_input: 2, not_found: 2, cancelled: 130 };

/** The exit code of a failure: 2 when the command line is wrong, which includes a parameter that policy forbids. */
export function exitCodeOf({ code, details }: ErrorBody): number {
  return code === 'forbidden' && details?.['parameter'] !== undefined ? 2 : (EXIT[code] ?? 1);
}

/** A command line under way. */
export interface Session extends CliDeps {
  readonly globals: Globals;
  readonly style: TextStyle;
  /** Whether what is drawn on stderr has colours. */
  readonly stderrColor: boolean;
  /** How answers are written; `text` is for people. */
  readonly format: DataFormat | 'text';
}

/** Throws `InvalidInputError` for a format that does not exist, or two that differ. */
export function chooseFormat({ json, format }: Globals): Session['format'] {
  if (format === undefined) return json === true ? 'json' : 'text';
  if (format !== 'text' && !isDataFormat(format)) {
    throw new InvalidInputError(`--format is ${described(format)}; expected one of text, ${DATA_FORMATS.join(', ')}`, {
      hint: 'auto is the shorter of json and toon. Nothing was done.',
    });
  }
  if (json !== true || format === 'json') return format;
  throw new InvalidInputError(`--json and --format ${format} contradict each other`, { hint: 'Give one of them.' });
}

/** Writes a document to stdout in the format for programs that was asked for. */
async function printData({ print, format, stdoutTty }: Session, data: unknown): Promise<void> {
  const text = await formatData(data, format === 'text' ? 'json' : format);
  if (format === 'text' || format === 'json') print(`${printableJson(text)}\n`);
  else print(`${stdoutTty ? printableLines(text).join('\n') : text}\n`);
}

/** Says what went wrong; resolves with the exit code. */
export async function fail(session: Session, error: ErrorBody): Promise<number> {
  if (session.format !== 'text') await printData(session, { error });
  else
    session.complain(`skillflow: ${printable(error.message)}\n${error.hint === undefined ? '' : `  ${printable(error.hint)}\n`}`);
  return exitCodeOf(error);
}

function hasColor({ env }: CliDeps, isTerminal: boolean, globals: Globals): boolean {
  const wanted = isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const forced = globals.color === true || !['', '0', 'false'].includes(env['FORCE_COLOR'] ?? '');
  return globals['no-color'] === true ? false : forced || wanted;
}

export function chooseStyle(deps: CliDeps, globals: Globals): Pick<Session, 'style' | 'stderrColor'> {
  return {
    style: { color: hasColor(deps, deps.stdoutTty, globals), width: deps.columns },
    stderrColor: hasColor(deps, deps.stderrTty, globals),
  };
}

export function appFlags({ globals: { root, threads, 'read-only': readOnly } }: Session): AppFlags {
  return {
    ...(typeof root === 'string' ? { root } : {}),
    ...(typeof threads === 'string' ? { threads } : {}),
    ...(readOnly === true ? { readOnly: true } : {}),
  };
}

export async function withApp(session: Session, work: (app: CliApp) => Promise<number>): Promise<number> {
  const app = await session.openApp(appFlags(session));
  try {
    return await work(app);
  } finally {
    await app[Symbol.asyncDispose]();
  }
}

/** How a call is made for whoever typed it. */
export interface CallManner {
  /** Yes to every approval that the call asks for: the user said so beforehand. */
  readonly isYes?: boolean;
  /** Whether a run that the call drives is shown while it goes on. */
  readonly isWatched?: boolean;
}

/** Calls a tool on behalf of the shell; a terminal sees how far it is, and is asked what only a person may answer. */
export async function callTool(
  session: Session,
  app: CliApp,
  tool: string,
  input: unknown,
  { isYes = false, isWatched = false }: CallManner = {},
): Promise<CallResult> {
  const { complain, ticks, stderrSize } = session;
  const person = isYes ? async () => true : personAt(session);
  const caller: Caller = { ...callerOf(session), askPerson: person };
  const sayCosts = isWatched ? costSpeaker(session) : undefined;
  if (!canWatch(session)) return app.call(tool, input, { ...caller, onEvents: sayCosts });
  const line = createProgressLine({ write: complain, ticks, width: stderrSize().columns });
  const watching = isWatched ? createWatching(session, app) : undefined;
  let isShown = false;
  const onEvents: Watching['onEvents'] = (events) => {
    if (!isShown) line.clear();
    isShown = true;
    watching?.onEvents(events);
  };
  const onCosts: Watching['onEvents'] = (events) => {
    line.clear();
    sayCosts?.(events);
  };
  try {
    return await app.call(tool, input, {
      ...caller,
      askPerson: person === undefined ? undefined : askAside(person, line, watching),
      onProgress: (done, what) => {
        if (isShown) watching?.onProgress(what);
        else line.update(done, what);
      },
      onEvents: watching === undefined ? onCosts : onEvents,
    });
  } finally {
    line.clear();
    await watching?.close();
  }
}

/** What a run may cost is said wherever it is driven, before it costs anything more: with the limit that holds now. */
function costSpeaker({ complain }: Session): Watching['onEvents'] {
  let said: Parameters<typeof spendingWords>[0] | undefined;
  return (events) => {
    const before = said;
    for (const event of events) {
      if (event.type === 'spending_announced') said = event;
      else if (event.type === 'budget_raised' && event.what === 'costUsd' && said !== undefined)
        said = { ...said, budgetUsd: event.to };
    }
    if (said !== undefined && said !== before) complain(`skillflow: ${printable(spendingWords(said))}\n`);
  };
}

/** What asks takes away what is drawn, as long as it asks. */
function askAside(
  person: NonNullable<Caller['askPerson']>,
  line: ProgressLine,
  watching: Watching | undefined,
): NonNullable<Caller['askPerson']> {
  return async (question, withdrawn) => {
    line.clear();
    return watching === undefined ? person(question, withdrawn) : watching.aside(() => person(question, withdrawn));
  };
}

/** The shell; within a session of Claude Code, what it stores belongs to that. */
export function callerOf({ env, signal }: Session): Caller {
  const session = env['CLAUDE_SESSION_ID'] ?? '';
  return { surface: 'cli', signal, session: session === '' ? null : session };
}

/** The text on stdin, a byte order mark too. Throws `InvalidInputError` when it is none. */
export async function textOnStdin({ readStdin }: Session): Promise<string> {
  const bytes = await readStdin();
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new InvalidInputError('what is on stdin is not text in UTF-8', {
      hint: 'Nothing was done. Convert text with iconv; write other bytes as text, for instance with base64.',
      cause: error,
    });
  }
}

/** Tools whose answer for people is one value: the member that holds it. What is no terminal gets it as it is. */
const ONE_VALUE: Readonly<Record<string, string>> = { memory_get: 'value' };

/** The bytes of one value for a file or another program: a text exactly, anything else as JSON and a line's end. */
function exactly(tool: string, output: unknown): string | undefined {
  const name = ONE_VALUE[tool];
  if (name === undefined) return undefined;
  const value = member(output, name);
  return typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`;
}

/** Prints what a tool answered. */
export async function show(session: Session, app: CliApp, tool: string, output: unknown): Promise<void> {
  const exact = session.stdoutTty || session.format !== 'text' ? undefined : exactly(tool, output);
  if (exact !== undefined) session.print(exact);
  else if (session.format === 'text') session.print(`${await app.render(tool, output, session.style)}\n`);
  else await printData(session, output);
}

/** Prints data that is no tool's output for people: in JSON with indentation, in the format for programs as ever. */
export async function showData(session: Session, data: unknown): Promise<void> {
  if (session.format === 'text') session.print(`${printableJson(JSON.stringify(data, null, 2))}\n`);
  else await printData(session, data);
}

/** Prints text that is no tool's output; for programs one document with the text as its only member. */
export async function say(session: Session, name: string, text: string): Promise<void> {
  if (session.format === 'text') session.print(text);
  else await printData(session, { [name]: text });
}

/** A member of an object that came out of a tool; `undefined` where there is none. */
export function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined;
}
