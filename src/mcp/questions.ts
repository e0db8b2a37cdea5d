import type { CallToolResult, ElicitRequestFormParams, InputRequiredResult, ServerContext } from '@modelcontextprotocol/server';
import type { Caller } from '../executor/executor.ts';
import { createProgress } from './progress.ts';
import type { Progress } from './progress.ts';

/** What a call has at hand. */
export interface CallSurroundings {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Whether the client wants to hear of progress. */
  readonly isFollowed: boolean;
  /** Asks the person before the client; `undefined` where the client cannot ask. */
  readonly askPerson: Caller['askPerson'];
}

export interface CallsDeps {
  /** Aborts when the server is to stop: calls under way end. */
  readonly signal: AbortSignal;
  /** Aborts when the client has said its last: nobody answers any more. */
  readonly left: AbortSignal;
  readonly id: () => string;
  readonly onError: (message: string) => void;
}

/** Calls of one connection, some of which take several requests. */
export interface Calls {
  /**
   * Does a call's work. In the era of 2026 a question ends the request; the call goes on meanwhile, and its result is the
   * answer to the request that brings the person's answer.
   */
  start(context: ServerContext, client: Client, work: Work): Promise<CallToolResult | InputRequiredResult>;
  /** Goes on with the call that asked; `undefined` when the request belongs to none. */
  goOn(context: ServerContext): Promise<CallToolResult | InputRequiredResult> | undefined;
  /** Settles when all calls have. */
  settled(): Promise<unknown>;
}

export interface Client {
  readonly era: 'legacy' | 'modern';
  /** What it says it can do, as it came. */
  readonly capabilities: unknown;
}

type Work = (surroundings: CallSurroundings) => Promise<CallToolResult>;

/** Milliseconds after which nobody seems to be there. */
const PATIENCE_MS = 5 * 60_000;
const KEY = 'approval';

/** A client that names no mode means forms: the word "mode" came later. */
function offersForms({ capabilities }: Client): boolean {
  const elicitation = memberOf(capabilities, 'elicitation');
  return elicitation !== undefined && (memberOf(elicitation, 'form') !== undefined || memberOf(elicitation, 'url') === undefined);
}

const questionOf = (message: string): ElicitRequestFormParams => ({
  message,
  requestedSchema: {
    type: 'object',
    properties: { approve: { type: 'boolean', title: 'Approve', description: 'yes lets the run go on, no ends it' } },
    required: ['approve'],
  },
});

const GONE = {
  code: 'not_found',
  message: 'the call that asked is not known here: the server was started anew since, or its answer was fetched already',
  hint: 'Nothing was begun. Look at the runs with run_list; answer one that waits with run_approve, go on with run_resume.',
};

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined;
}

/**
 * What a person answered: `null` when the form was closed, or sent without a yes or no: only who says no refuses;
 * `undefined` when this is no answer.
 */
function answerOf(response: unknown): boolean | null | undefined {
  const action = memberOf(response, 'action');
  if (action === 'accept') {
    const approve = memberOf(memberOf(response, 'content'), 'approve');
    return typeof approve === 'boolean' ? approve : null;
  }
  if (action === 'decline') return false;
  return action === 'cancel' ? null : undefined;
}

/** A retry must not do the work of its call a second time. */
function goneResult(): CallToolResult {
  const structuredContent = { error: GONE };
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent, isError: true };
}

/** A question that is open, in the era of 2026. */
interface Asked {
  /** Of the call's questions, from 1: an answer to an earlier one that was withdrawn must not count for a later one. */
  readonly number: number;
  readonly message: string;
  readonly answer: (answer: boolean | null) => void;
}

/** A call under way, whichever request waits for it. */
interface Underway {
  readonly id: string;
  readonly stop: AbortController;
  readonly result: Promise<CallToolResult>;
  asked: Asked | undefined;
  /** Questions so far. */
  questions: number;
  /** Tells the request that waits of a question. */
  onAsked: () => void;
  progress: Progress;
}

/** What ends the waiting for an answer. */
interface Ends {
  /** The call was cancelled. */
  readonly stop: AbortSignal;
  /** The client has said its last. */
  readonly left: AbortSignal;
  /** No answer is needed any more. */
  readonly withdrawn: AbortSignal;
}

/** Sends a question to a client of 2025, and waits for the answer; takes it back when it is withdrawn. */
async function push(
  context: ServerContext,
  question: string,
  { stop, left, withdrawn }: Ends,
  onError: CallsDeps['onError'],
): Promise<boolean | null> {
  try {
    const response = await context.mcpReq.send(
      { method: 'elicitation/create', params: { ...questionOf(question) } },
      { timeout: PATIENCE_MS, signal: AbortSignal.any([stop, left, withdrawn]) },
    );
    return answerOf(response) ?? null;
  } catch (error) {
    if (stop.aborted) return false; // the call was cancelled: so is what was to be approved
    if (!left.aborted && !withdrawn.aborted) onError(`a question was not answered: ${String(error).slice(0, 200)}`);
    return null;
  }
}

/** Leaves a question for the next request of a client of 2026 to answer. */
function leave(
  call: Pick<Underway, 'asked' | 'questions' | 'onAsked'>,
  message: string,
  { stop, left, withdrawn }: Ends,
): Promise<boolean | null> {
  return new Promise((resolve) => {
    const answer = (given: boolean | null): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', onStop);
      left.removeEventListener('abort', onLeft);
      withdrawn.removeEventListener('abort', onLeft);
      call.asked = undefined;
      resolve(given);
    };
    const onStop = (): void => answer(false);
    const onLeft = (): void => answer(null);
    const timer = setTimeout(onLeft, PATIENCE_MS);
    stop.addEventListener('abort', onStop, { once: true });
    left.addEventListener('abort', onLeft, { once: true });
    withdrawn.addEventListener('abort', onLeft, { once: true });
    call.questions += 1;
    call.asked = { number: call.questions, message, answer };
    if (stop.aborted) onStop();
    else if (left.aborted || withdrawn.aborted) onLeft();
    else call.onAsked();
  });
}

/** The question that a call asks; `undefined` when it has ended. */
async function nextQuestion(call: Underway): Promise<Asked | undefined> {
  for (;;) {
    if (call.asked !== undefined) return call.asked;
    const asked = new Promise<undefined>((resolve) => {
      call.onAsked = () => resolve(undefined);
    });
    if ((await Promise.race([call.result, asked])) !== undefined) return undefined;
  }
}

export function createCalls(deps: CallsDeps): Calls {
  const { signal, left, id, onError } = deps;
  const waiting = new Map<string, Underway>();
  const all = new Set<Promise<unknown>>();

  /** Has a request wait for a call's end or its next question. */
  const attend = async (call: Underway, context: ServerContext): Promise<CallToolResult | InputRequiredResult> => {
    const onAbort = (): void => call.stop.abort();
    context.mcpReq.signal.addEventListener('abort', onAbort, { once: true });
    if (context.mcpReq.signal.aborted) onAbort();
    call.progress = createProgress(context, onError);
    const question = await nextQuestion(call).finally(() => context.mcpReq.signal.removeEventListener('abort', onAbort));
    if (question === undefined) return call.result;
    waiting.set(call.id, call);
    return {
      resultType: 'input_required',
      inputRequests: { [KEY]: { method: 'elicitation/create', params: { mode: 'form', ...questionOf(question.message) } } },
      requestState: `${call.id}/${question.number}`,
    };
  };

  return {
    start: (context, client, work) => {
      const stop = new AbortController();
      const ends = AbortSignal.any([signal, stop.signal]);
      const canAsk = offersForms(client);
      const held: Pick<Underway, 'asked' | 'questions' | 'onAsked' | 'progress'> = {
        asked: undefined,
        questions: 0,
        onAsked: () => undefined,
        progress: createProgress(context, onError),
      };
      const ask = (question: string, withdrawn: AbortSignal): Promise<boolean | null> => {
        const allEnds = { stop: ends, left, withdrawn };
        return client.era === 'legacy' ? push(context, question, allEnds, onError) : leave(held, question, allEnds);
      };
      const result = work({
        signal: ends,
        progress: { report: (done, what, weight) => held.progress.report(done, what, weight) },
        isFollowed: context.mcpReq._meta?.progressToken !== undefined,
        askPerson: canAsk ? ask : undefined,
      });
      const settle = (): void => void all.delete(result);
      all.add(result);
      result.then(settle, settle);
      return attend(Object.assign(held, { id: id(), stop, result }), context);
    },
    goOn: (context) => {
      const state = context.mcpReq.requestState();
      if (state === undefined) return undefined;
      const [callId = '', number] = typeof state === 'string' ? state.split('/') : [];
      const call = waiting.get(callId);
      if (call === undefined) return Promise.resolve(goneResult());
      const answer = answerOf(context.mcpReq.inputResponses?.[KEY]);
      // Without an answer the same question is asked again; one that came too late gets the next question, or the result.
      if (answer !== undefined && call.asked?.number === Number(number)) call.asked.answer(answer);
      if (call.asked === undefined) waiting.delete(call.id);
      return attend(call, context);
    },
    settled: () => Promise.allSettled(all),
  };
}
