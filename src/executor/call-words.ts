/** What a text needs to know of a tool to tell how it is called. */
export interface NamedCall {
  readonly name: string;
  /** The words after `skillflow`, and the parameters that follow them without a flag. */
  readonly cli?: { readonly command: readonly string[]; readonly positional?: readonly string[] };
  /** Whether MCP clients see it; default: yes. */
  readonly listed?: boolean;
}

type Input = Readonly<Record<string, unknown>>;

/** `maxAgents` → `max-agents`. */
export function flagOf(property: string): string {
  return property.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const propertyOf = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** A value as a word of a POSIX shell; what stands for a value that the reader has to fill in (`<run>`, `…`) stays as it is. */
function shellWord(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^(?:[\w@%+=:,./…-]+|<[^<>']+>)$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function flagWords(property: string, value: unknown): readonly string[] {
  if (typeof value === 'boolean') return [`--${value ? '' : 'no-'}${flagOf(property)}`];
  return [`--${flagOf(property)}`, ...(Array.isArray(value) ? value : [value]).map(shellWord)];
}

/** A call as a command line: `skillflow approve run_x --approved`. */
function commandLine(command: readonly string[], positional: readonly string[], input: Input): string {
  const placed: string[] = [];
  for (const property of positional) {
    if (!Object.hasOwn(input, property)) break;
    const value = input[property];
    placed.push(...(Array.isArray(value) ? value : [value]).map(shellWord));
  }
  const flags = Object.entries(input).filter(([property]) => !positional.slice(0, placed.length).includes(property));
  return ['skillflow', ...command, ...placed, ...flags.flatMap(([property, value]) => flagWords(property, value))].join(' ');
}

/** The input that the words after a command give; `null` where that takes the tool's schema. */
function inputOf(words: readonly string[], positional: readonly string[]): Input | null {
  const input: Record<string, unknown> = {};
  let placed = 0;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const next = words[at + 1];
    const property = word.startsWith('--') ? propertyOf(word.slice(2)) : positional[placed];
    if (property === undefined || word.includes('=')) return null;
    if (!word.startsWith('--')) {
      input[property] = word;
      placed += 1;
    } else if (next === undefined || next.startsWith('--')) input[property] = true;
    else {
      input[property] = /^\d+(?:\.\d+)?$/.test(next) ? Number(next) : next;
      at += 1;
    }
  }
  return input;
}

function parseObject(json: string | undefined): Input | null {
  if (json === undefined) return {};
  try {
    // `{…}` and `[…]` stand for what the reader has to write.
    const value: unknown = JSON.parse(json.replaceAll(/\{…\}|\[…\]/gu, '"…"'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value))
      : null;
  } catch {
    return null;
  }
}

/**
 * A tool's name, with its input where that follows: `run_approve {"runId": "run_x", "approved": true}`. A name in quotes
 * is a word of a file.
 */
const CALL = /(?<!")(`?)\b([a-z]+(?:_[a-z]+)+)\b(?: (\{[^{}`]*(?:\{[^{}`]*\}[^{}`]*)*\}))?\1/gu;
/** A command line in backticks. */
const COMMAND = /`skillflow ([^`]+)`/gu;

/**
 * What to do next is written once, with tools named as MCP names them (`run_resume {"runId": "run_x"}`) or as command
 * lines in backticks, and read on several surfaces: in a shell a tool's call becomes its command line; an MCP client
 * reads commands as calls of the tools that it sees, and of all others how the shell calls them.
 *
 * @param listsAll whether MCP clients see all tools
 */
export function createCallWords(
  tools: readonly NamedCall[],
  listsAll: boolean,
): (text: string, surface: 'cli' | 'mcp' | 'http' | 'api') => string {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const forShell = (text: string): string =>
    text.replaceAll(CALL, (whole: string, _tick: string, name: string, json?: string) => {
      const cli = byName.get(name)?.cli;
      const input = parseObject(json);
      return cli === undefined || input === null ? whole : `\`${commandLine(cli.command, cli.positional ?? [], input)}\``;
    });
  const isSeen = ({ listed = true }: NamedCall): boolean => listsAll || listed;
  const ofWords = (words: readonly string[]): NamedCall | undefined =>
    tools
      .filter(({ cli }) => cli !== undefined && cli.command.every((word, at) => words[at] === word))
      .sort((a, b) => (b.cli?.command.length ?? 0) - (a.cli?.command.length ?? 0))[0];
  const asCall = (whole: string, line: string): string => {
    const words = line.split(' ');
    const tool = ofWords(words);
    if (tool === undefined || !isSeen(tool)) return `${whole} in a shell`;
    const input = inputOf(words.slice(tool.cli?.command.length), tool.cli?.positional ?? []);
    if (input === null) return `${whole} in a shell`;
    return Object.keys(input).length === 0 ? tool.name : `${tool.name} ${JSON.stringify(input)}`;
  };
  const forMcp = (text: string): string =>
    text
      .replaceAll(COMMAND, asCall)
      .replaceAll(CALL, (whole: string, _tick: string, name: string, json?: string) => {
        const tool = byName.get(name);
        const input = parseObject(json);
        if (tool?.cli === undefined || input === null || isSeen(tool)) return whole;
        return `\`${commandLine(tool.cli.command, tool.cli.positional ?? [], input)}\` in a shell`;
      })
      .replaceAll('in a shell in a shell', 'in a shell');
  return (text, surface) => (surface === 'cli' ? forShell(text) : surface === 'mcp' ? forMcp(text) : text);
}
