import type { Readable, Writable } from 'node:stream';

/** What the server answers while a session opens, each as the JSON of a result; `recordOpening` writes it at build time. */
export interface OpeningAnswers {
  /** To `initialize`, by the version of the protocol that a client of 2025 asks for. */
  readonly initialize: Readonly<Record<string, string>>;
  /** To `server/discover`, by the version that a client of 2026 speaks. */
  readonly discover: Readonly<Record<string, string>>;
  readonly ping: string;
  /** To `tools/list`, by era. */
  readonly tools: { readonly legacy: string; readonly modern: string };
}

export interface OpeningOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly answers: () => OpeningAnswers;
  /** The answers to `tools/list` with the tools that this client is to see. */
  readonly tools: () => Promise<OpeningAnswers['tools']>;
  /** Aborts when the process is to leave. */
  readonly signal: AbortSignal;
  readonly onError: (message: string) => void;
}

type Fields = Readonly<Record<string, unknown>>;
type Reply = { readonly result: string | undefined };

/** Bytes; a message that opens a session is shorter. */
const LONGEST = 65_536;
/** A session opens with two messages that the server has to hear of. */
const MOST_SAID = 8;
const NEWLINE = 10;
const ENVELOPE = ['protocolVersion', 'clientInfo', 'clientCapabilities'].map((name) => `io.modelcontextprotocol/${name}`);

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const hasOnly = (value: unknown, keys: readonly string[]): value is Fields =>
  isFields(value) && Object.keys(value).every((key) => keys.includes(key));

const isText = (value: unknown): value is string => typeof value === 'string';
const isId = (value: unknown): boolean => isText(value) || Number.isSafeInteger(value);

/** The version a client names, when it introduces itself in the usual words. */
function introduced(version: unknown, client: unknown, capabilities: unknown): string | undefined {
  const isClient =
    isFields(client) && Object.hasOwn(client, 'name') && Object.hasOwn(client, 'version') && Object.values(client).every(isText);
  const isKnown = typeof version === 'string' && isClient && isFields(capabilities);
  return isKnown && Object.values(capabilities).every(isFields) ? version : undefined;
}

function legacyVersion(params: unknown): string | undefined {
  if (!hasOnly(params, ['protocolVersion', 'clientInfo', 'capabilities'])) return undefined;
  return introduced(params['protocolVersion'], params['clientInfo'], params['capabilities']);
}

function modernVersion(params: unknown): string | undefined {
  if (!hasOnly(params, ['_meta'])) return undefined;
  const { _meta: meta } = params;
  if (!hasOnly(meta, ENVELOPE)) return undefined;
  const [version, client, capabilities] = ENVELOPE.map((name) => meta[name]);
  return introduced(version, client, capabilities);
}

/** Whether `params` say nothing: a token for progress has no use here. */
function areBare(params: unknown): boolean {
  if (params === undefined) return true;
  if (!hasOnly(params, ['_meta'])) return false;
  const { _meta: meta } = params;
  return meta === undefined || (hasOnly(meta, ['progressToken']) && Object.values(meta).every(isId));
}

/** The message in a line, when it has the usual parts. */
function messageOf(line: string): Fields | undefined {
  try {
    const message: unknown = JSON.parse(line);
    if (!hasOnly(message, ['jsonrpc', 'id', 'method', 'params']) || message['jsonrpc'] !== '2.0') return undefined;
    const { id } = message;
    return id === undefined || isId(id) ? message : undefined;
  } catch {
    return undefined; // the server says what is wrong with it
  }
}

/** What a session's opening is answered; a message that gets no reply is the whole server's. */
function createReplies({
  answers,
  tools,
}: Pick<OpeningOptions, 'answers' | 'tools'>): (message: Fields) => Promise<Reply | undefined> {
  let era: 'legacy' | 'modern' | undefined;
  const version = (known: Fields, asked: string | undefined): string | undefined =>
    asked !== undefined && Object.hasOwn(known, asked) ? asked : undefined;
  return async ({ id, method, params }) => {
    const isRequest = id !== undefined;
    const isBare = areBare(params);
    if (method === 'notifications/initialized')
      return !isRequest && era === 'legacy' && isBare ? { result: undefined } : undefined;
    if (!isRequest) return undefined;
    const { initialize, discover, ping } = answers();
    const [legacy, modern] = [version(initialize, legacyVersion(params)), version(discover, modernVersion(params))];
    if (method === 'initialize' && era === undefined && legacy !== undefined) {
      era = 'legacy';
      return { result: initialize[legacy] };
    }
    if (method === 'server/discover' && era !== 'legacy' && modern !== undefined) {
      era = 'modern';
      return { result: discover[modern] };
    }
    if (method === 'ping' && era === 'legacy' && isBare) return { result: ping };
    if (method !== 'tools/list') return undefined;
    if (era === 'legacy' && isBare) return { result: (await tools()).legacy };
    return era === 'modern' && modern !== undefined ? { result: (await tools()).modern } : undefined;
  };
}

/** Messages that the whole server has to hear as well: it keeps what the client said of itself. */
const KEPT: readonly unknown[] = ['initialize', 'notifications/initialized', 'server/discover'];

/** The lines of a session that have come so far. */
interface Lines {
  /** Those that the server has to hear first, and whose answers the client has. */
  readonly said: readonly string[];
  /** What was not answered: a part of a line, or all from the first line that is the server's. */
  readonly rest: () => Buffer;
  /** Answers what it can; whether the rest may still become a line of an opening. */
  take(chunk: Buffer): Promise<boolean>;
}

function createLines(options: Pick<OpeningOptions, 'answers' | 'tools' | 'output'>): Lines {
  const reply = createReplies(options);
  const said: string[] = [];
  let rest = Buffer.alloc(0);
  const isAnswered = async (line: string): Promise<boolean> => {
    const message = messageOf(line);
    const answer = message === undefined ? undefined : await reply(message);
    if (message === undefined || answer === undefined) return false;
    const { id, method } = message;
    if (KEPT.includes(method)) said.push(line);
    if (answer.result !== undefined) {
      options.output.write(`{"result":${answer.result},"jsonrpc":"2.0","id":${JSON.stringify(id)}}\n`);
    }
    return true;
  };
  return {
    said,
    rest: () => rest,
    take: async (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
        if (end > LONGEST || said.length === MOST_SAID || !(await isAnswered(rest.toString('utf8', 0, end)))) return false;
        rest = rest.subarray(end + 1);
      }
      return rest.length <= LONGEST;
    },
  };
}

/**
 * Answers a session's opening (introductions and the list of tools) as the server would, without its code: most of what
 * a server costs until a client can go on, and all that it costs a session that never calls a tool.
 *
 * Resolves at the first message that is anything else, which stays in `input` with all that follows: with the lines that
 * the server has to hear first, and whose answers the client has. Resolves with `undefined` when the client has left.
 */
export function answerOpening(options: OpeningOptions): Promise<readonly string[] | undefined> {
  const { input, output, signal, onError } = options;
  const lines = createLines(options);
  let isOver = false;
  return new Promise((resolve, reject) => {
    const finish = (said: readonly string[] | undefined): void => {
      isOver = true;
      input.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onFailure);
      signal.removeEventListener('abort', onEnd);
      input.pause();
      resolve(said);
    };
    const onEnd = (): void => finish(undefined);
    const onFailure = (error: Error): void => {
      if (isOver) return; // the server has a listener of its own
      onError(error.message);
      onEnd();
    };
    const takeChunk = async (chunk: Buffer): Promise<void> => {
      const isOpening = await lines.take(chunk);
      if (isOver) return;
      if (isOpening) {
        input.resume();
      } else {
        input.unshift(lines.rest());
        finish(lines.said);
      }
    };
    const onData = (chunk: Buffer): void => {
      input.pause(); // one chunk at a time: an answer may take a look at the project's settings
      takeChunk(chunk).catch(reject);
    };
    input.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onFailure);
    // Stays for good: whoever reads the answers may leave between this and the server's own listener.
    output.on('error', onFailure);
    signal.addEventListener('abort', onEnd, { once: true });
    if (signal.aborted) onEnd();
  });
}
