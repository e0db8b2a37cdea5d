import type Anthropic from '@anthropic-ai/sdk';
import { type AnswerDeps, toStepOutput } from './answer.ts';
import type { RequestFailure } from './anthropic-retry.ts';
import type { MessageParams, RequestResult } from './anthropic-request.ts';
import type { MessageBlock, ReceivedMessage } from './anthropic-stream.ts';
import { estimateTokens } from './prices.ts';
import type { Prompt } from './prompt.ts';
import type { AskRequest, StepOutput } from './provider.ts';
import type { Toolbox } from './tools/toolbox.ts';
import { untilAborted } from './until-aborted.ts';

export interface ConversationDeps {
  readonly send: (params: MessageParams, inputTokens: number) => Promise<RequestResult>;
  readonly request: AskRequest;
  readonly prompt: Prompt;
  readonly toolbox: Toolbox;
  readonly model: string;
  readonly maxOutputTokens: number;
  /** Requests of the conversation, the one for a repair not counted. */
  readonly maxTurns: number;
  readonly outputConfig: Anthropic.OutputConfig;
  readonly answerDeps: AnswerDeps;
}

export type ConversationResult =
  | { readonly ok: true; readonly output: StepOutput; readonly turns: number }
  | { readonly ok: false; readonly failure: RequestFailure };

const CACHED = { type: 'ephemeral' } as const;
/** Characters of a tool's answer. */
const MAX_RESULT = 50_000;

const fail = (code: string, reason: string, retryable: boolean): ConversationResult => ({
  ok: false,
  failure: { code, reason, retryable, billed: false },
});

const toParam = (block: MessageBlock): Anthropic.ContentBlockParam => block;

/** What every request of a conversation has in common: the same bytes each time, so that the cache is hit. */
function fixedParams(deps: ConversationDeps): Omit<MessageParams, 'messages'> {
  const { definitions } = deps.toolbox;
  const tools = definitions.map(({ name, description, inputSchema }, i): Anthropic.Tool => ({
    name,
    description,
    input_schema: { type: 'object', properties: inputSchema['properties'], required: requiredOf(inputSchema) },
    ...(i === definitions.length - 1 ? { cache_control: CACHED } : {}),
  }));
  return {
    model: deps.model,
    max_tokens: deps.maxOutputTokens,
    system: [{ type: 'text', text: deps.prompt.system, cache_control: CACHED }],
    output_config: deps.outputConfig,
    ...(tools.length === 0 ? {} : { tools }),
  };
}

function requiredOf(schema: Readonly<Record<string, unknown>>): string[] {
  const required: unknown = schema['required'];
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [];
}

const textOf = (message: ReceivedMessage): string =>
  message.blocks.map((block) => (block.type === 'text' ? block.text : '')).join('');

/** Ends that are no answer, by the API's stop reason; `null` for one that may be. */
function stopFailure({ stopReason }: ReceivedMessage, maxTokens: number, wanted: number): ConversationResult | null {
  if (stopReason === 'max_tokens' && maxTokens < wanted) {
    return fail('budget', `the answer was cut at the ${maxTokens} tokens that the budget allowed`, false);
  }
  if (stopReason === 'max_tokens') return fail('bad_output', `the answer was cut at ${maxTokens} tokens`, true);
  if (stopReason === 'refusal') return fail('refused', 'the model refused to answer this', false);
  if (stopReason === 'model_context_window_exceeded')
    return fail('too_large', "the conversation outgrew the model's context", false);
  return null;
}

/** The messages so far, and an estimate of the tokens of a request that holds them. */
interface Talk {
  readonly messages: Anthropic.MessageParam[];
  size: number;
  /** 0–1. */
  done: number;
}

/** Runs the tools that a message calls, one after the other, and adds their results. */
async function runTools(talk: Talk, message: ReceivedMessage, { request, toolbox }: ConversationDeps): Promise<void> {
  const results: Anthropic.ToolResultBlockParam[] = [];
  for (const block of message.blocks) {
    if (block.type !== 'tool_use') continue;
    request.onProgress?.(talk.done, block.name);
    const result = await untilAborted(toolbox.call(block.name, block.input), request.signal);
    const text = result.text.slice(0, MAX_RESULT);
    talk.size += estimateTokens(text) + 50;
    results.push({ type: 'tool_result', tool_use_id: block.id, content: text, is_error: result.outcome !== 'ok' });
  }
  markLatest(talk.messages, results);
  talk.messages.push({ role: 'user', content: results });
}

function askForRepair(talk: Talk, reason: string): void {
  const text = `Your answer could not be used: ${reason}. Answer again, with one JSON object of the schema.`;
  talk.messages.push({ role: 'user', content: [{ type: 'text', text }] });
  talk.size += estimateTokens(text);
}

/**
 * Asks, runs the tools that the model calls, and asks again, until there is an answer of the right shape: a stateless
 * loop, in which every request carries the whole conversation. An answer of a wrong shape is sent back once.
 * Rejects only with the reason of the request's signal.
 */
export async function converse(deps: ConversationDeps): Promise<ConversationResult> {
  const { request, toolbox } = deps;
  const fixed = fixedParams(deps);
  const talk: Talk = {
    messages: [{ role: 'user', content: [{ type: 'text', text: deps.prompt.user, cache_control: CACHED }] }],
    // The tools' schemas and the answer's are part of the input as well.
    size: estimateTokens(JSON.stringify(fixed) + deps.prompt.user),
    done: 0,
  };
  let repaired = false;
  for (let turn = 1; turn <= deps.maxTurns + (repaired ? 1 : 0); turn += 1) {
    talk.done = (turn - 1) / (deps.maxTurns + 1);
    request.onProgress?.(talk.done, `asking ${deps.model}`);
    const last = turn >= deps.maxTurns && fixed.tools !== undefined;
    const params: MessageParams = { ...fixed, messages: talk.messages, ...(last ? { tool_choice: { type: 'none' } } : {}) };
    const result = await deps.send(params, talk.size);
    if (!result.ok) return result;
    const { message } = result;
    const stopped = stopFailure(message, result.maxTokens, deps.maxOutputTokens);
    if (stopped !== null) return stopped;
    if (message.blocks.length > 0) talk.messages.push({ role: 'assistant', content: message.blocks.map(toParam) });
    talk.size = sizeAfter(message, talk.size);
    if (message.blocks.some(({ type }) => type === 'tool_use')) {
      await runTools(talk, message, deps);
      continue;
    }
    if (message.stopReason === 'pause_turn') continue;
    const answer = await toStepOutput(request, textOf(message), deps.answerDeps, toolbox.reported());
    if (answer.ok) return { ok: true, output: answer.output, turns: turn };
    if (repaired) return fail('bad_output', answer.reason, true);
    repaired = true;
    askForRepair(talk, answer.reason);
  }
  return fail('bad_output', `no answer within ${deps.maxTurns} turns`, true);
}

/** Tokens of the next request without what will be added to it: as the server counted, where it did. */
function sizeAfter({ tokens, blocks }: ReceivedMessage, before: number): number {
  const input = tokens.inputTokens + tokens.cacheReadTokens + tokens.cacheWriteTokens;
  return input === 0 ? before + estimateTokens(JSON.stringify(blocks)) : input + tokens.outputTokens;
}

/** Moves the cache's mark to the newest results: an API request may hold only four marks. */
function markLatest(messages: readonly Anthropic.MessageParam[], results: readonly Anthropic.ToolResultBlockParam[]): void {
  for (const { content } of messages) {
    if (typeof content === 'string') continue;
    for (const block of content) if (block.type === 'tool_result') delete block.cache_control;
  }
  const latest = results.at(-1);
  if (latest !== undefined) latest.cache_control = CACHED;
}
