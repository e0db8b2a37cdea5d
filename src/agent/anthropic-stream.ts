import * as z from 'zod';
import { UnavailableError } from '../errors.ts';
import type { RequestTokens } from './prices.ts';

/** A block of a model's message, in the shape in which it is sent back. */
export type MessageBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

/** A message that arrived whole. */
export interface ReceivedMessage {
  readonly blocks: readonly MessageBlock[];
  /** `end_turn`, `tool_use`, `max_tokens`, `refusal`, …; `null` where the server did not say. */
  readonly stopReason: string | null;
  readonly tokens: RequestTokens;
}

const count = z.number().int().min(0).nullish();
const USAGE = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
});
const index = z.number().int().min(0).max(10_000);
const BLOCK = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string().default('') }),
  z.object({ type: z.literal('thinking'), thinking: z.string().default(''), signature: z.string().default('') }),
  z.object({ type: z.literal('redacted_thinking'), data: z.string() }),
  z.object({ type: z.literal('tool_use'), id: z.string(), name: z.string() }),
]);
const DELTA = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
  z.object({ type: z.literal('signature_delta'), signature: z.string() }),
  z.object({ type: z.literal('input_json_delta'), partial_json: z.string() }),
  z.object({ type: z.literal('citations_delta') }),
]);
const EVENT = z.discriminatedUnion('type', [
  z.object({ type: z.literal('message_start'), message: z.object({ usage: USAGE.optional() }) }),
  z.object({ type: z.literal('content_block_start'), index, content_block: BLOCK }),
  z.object({ type: z.literal('content_block_delta'), index, delta: DELTA }),
  z.object({ type: z.literal('content_block_stop'), index }),
  z.object({
    type: z.literal('message_delta'),
    delta: z.object({ stop_reason: z.string().nullish() }),
    usage: USAGE.optional(),
  }),
  z.object({ type: z.literal('message_stop') }),
]);
const KNOWN: ReadonlySet<string> = new Set(EVENT.options.map((option) => option.shape.type.value));

type OpenBlock = z.output<typeof BLOCK> & { json: string; closed: boolean };

const broken = (what: string): UnavailableError =>
  new UnavailableError(`the API's stream is broken: ${what}`, { retryable: true });

function addDelta(block: OpenBlock, delta: z.output<typeof DELTA>): void {
  if (delta.type === 'text_delta' && block.type === 'text') block.text += delta.text;
  else if (delta.type === 'thinking_delta' && block.type === 'thinking') block.thinking += delta.thinking;
  else if (delta.type === 'signature_delta' && block.type === 'thinking') block.signature += delta.signature;
  else if (delta.type === 'input_json_delta' && block.type === 'tool_use') block.json += delta.partial_json;
  else if (delta.type !== 'citations_delta') throw broken(`a ${delta.type} for a block of ${block.type}`);
}

function parsedInput(json: string): unknown {
  if (json === '') return {};
  try {
    const value: unknown = JSON.parse(json);
    return value;
  } catch {
    throw broken("a tool's input is not JSON");
  }
}

function finished(block: OpenBlock): MessageBlock {
  if (block.type === 'text') return { type: 'text', text: block.text };
  if (block.type === 'thinking') return { type: 'thinking', thinking: block.thinking, signature: block.signature };
  if (block.type === 'redacted_thinking') return { type: 'redacted_thinking', data: block.data };
  return { type: 'tool_use', id: block.id, name: block.name, input: parsedInput(block.json) };
}

/** Puts a message together from the events of its stream. */
export interface MessageAssembler {
  /** Takes the next event; throws a retryable {@link UnavailableError} for one of a wrong shape. Unknown ones are skipped. */
  take(event: unknown): void;
  /** Whether `message_stop` was there. */
  stopped(): boolean;
  /** The message; throws as `take` where `message_stop` is missing. */
  message(): ReceivedMessage;
  /** What the server counted so far. */
  tokens(): RequestTokens;
}

/** See {@link MessageAssembler}; the events are those of platform.claude.com/docs/en/build-with-claude/streaming. */
export function createMessageAssembler(): MessageAssembler {
  const blocks = new Map<number, OpenBlock>();
  let tokens: RequestTokens = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };
  let stopReason: string | null = null;
  let stopped = false;

  const addUsage = (usage: z.output<typeof USAGE> | undefined): void => {
    // Counts are of the whole message so far: a later one replaces an earlier one.
    tokens = {
      inputTokens: usage?.input_tokens ?? tokens.inputTokens,
      outputTokens: usage?.output_tokens ?? tokens.outputTokens,
      cacheReadTokens: usage?.cache_read_input_tokens ?? tokens.cacheReadTokens,
      cacheWriteTokens: usage?.cache_creation_input_tokens ?? tokens.cacheWriteTokens,
    };
  };

  const openBlock = (at: number): OpenBlock => {
    const block = blocks.get(at);
    if (block === undefined || block.closed) throw broken(`a part of block ${at}, which is not open`);
    return block;
  };

  return {
    take: (given) => {
      const { type } = z.object({ type: z.unknown() }).safeParse(given).data ?? {};
      if (typeof type !== 'string') throw broken('an event without a type');
      if (!KNOWN.has(type)) return;
      const parsed = EVENT.safeParse(given);
      if (!parsed.success) throw broken(`a ${type} of the wrong shape`);
      const event = parsed.data;
      if (event.type === 'message_start') addUsage(event.message.usage);
      else if (event.type === 'content_block_start') {
        if (blocks.has(event.index)) throw broken(`block ${event.index} begins twice`);
        blocks.set(event.index, { ...event.content_block, json: '', closed: false });
      } else if (event.type === 'content_block_delta') addDelta(openBlock(event.index), event.delta);
      else if (event.type === 'content_block_stop') openBlock(event.index).closed = true;
      else if (event.type === 'message_delta') {
        stopReason = event.delta.stop_reason ?? stopReason;
        addUsage(event.usage);
      } else stopped = true;
    },
    stopped: () => stopped,
    message: () => {
      if (!stopped) throw broken('it ended without message_stop');
      if ([...blocks.values()].some(({ closed }) => !closed)) throw broken('a block was not closed');
      const ordered = [...blocks].toSorted(([a], [b]) => a - b).map(([, block]) => finished(block));
      return { blocks: ordered.filter((block) => block.type !== 'text' || block.text !== ''), stopReason, tokens };
    },
    tokens: () => tokens,
  };
}
