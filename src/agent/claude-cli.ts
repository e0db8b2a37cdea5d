import { CancelledError, DeadlineError, toSkillflowError, UnavailableError } from '../errors.ts';
import type { ExecResult, Runtime } from '../runtime.ts';
import { toStepOutput } from './answer.ts';
import { answerJsonSchema } from './answer-schema.ts';
import { markChild } from './child-mark.ts';
import { claudeFailure, claudeUsage, readClaudeResult, type ClaudeFailure, type ClaudeResult } from './claude-cli-answer.ts';
import { claudeCommand, type ClaudeCommand } from './claude-cli-command.ts';
import { findClaude, UPDATE_HINT, type FoundClaude } from './find-claude.ts';
import { createPrompt } from './prompt.ts';
import type { AskEvent, AskRequest, AskResult, Provider } from './provider.ts';
import { reportRefusals, type FindingKey } from './refusal-findings.ts';
import { untilAborted } from './until-aborted.ts';
import type { Usage } from './usage.ts';

export interface ClaudeCliDeps {
  readonly runtime: Runtime;
  /** Absolute; the program runs in it and reads nothing outside of it. */
  readonly projectRoot: string;
  /** The stable id of a finding; `analysis/` has it. */
  readonly findingId: (key: FindingKey) => string;
  /** A text without its secrets. */
  readonly redact: (text: string) => string;
  /** Milliseconds that one attempt may take. */
  readonly deadlineMs: number;
}

/** Bytes of its output that are read; an answer has at most one MiB. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
const MAX_REASON = 500;
/** Characters that are looked at for secrets; the rest of a message is of no use. */
const MAX_READ = 4_000;
const MAX_DENIALS = 20;
const MAX_INPUT_SHOWN = 200;

const NO_SESSION = /No conversation found/iu;
const SESSION_EXISTS = /Session ID \S+ is already in use/iu;

/** What a program that ended said. */
interface Ended {
  readonly exec: ExecResult;
  readonly result: ClaudeResult | null;
  /** Its message: of the result, else of stderr. */
  readonly text: string;
  readonly resumed: boolean;
}

/** Variables whose values the program has and nobody else may see. */
const KEYS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'];

/** The argument that a permission was refused for: a path, else a pattern. */
function askedOf(input: unknown): string {
  if (typeof input !== 'object' || input === null) return '';
  const given = new Map<string, unknown>(Object.entries(input));
  const asked = given.get('file_path') ?? given.get('path') ?? given.get('pattern');
  return typeof asked === 'string' ? asked.slice(0, MAX_INPUT_SHOWN) : '';
}

function messageOf(exec: ExecResult, result: ClaudeResult | null): string {
  const said = result === null ? exec.stderr : [result.result ?? '', ...(result.errors ?? [])].join(' ');
  return (said.trim() || exec.stderr).trim();
}

/** What a failure to run the program, or to wait for it, means. */
function thrownFailure(thrown: unknown, redact: (text: string) => string, started: boolean): AskResult {
  const error = toSkillflowError(thrown);
  const reason = redact(error.hint === undefined ? error.message : `${error.message}. ${error.hint}`);
  const billed = started ? { possiblyBilled: true } : {};
  if (error instanceof CancelledError) return { status: 'failed', code: 'cancelled', reason, retryable: false, ...billed };
  if (error instanceof DeadlineError) return { status: 'failed', code: 'deadline', reason, retryable: true, ...billed };
  // The program ran, and printed more than it may: only a failure to start it has a cause underneath.
  if (error instanceof UnavailableError && error.cause === undefined) {
    return { status: 'failed', code: 'bad_output', reason, retryable: false, ...billed };
  }
  return { status: 'failed', code: error.code, reason, retryable: error.retryable };
}

function unavailable(found: Extract<FoundClaude, { found: false }>): AskResult {
  return { status: 'failed', code: 'unavailable', reason: `${found.reason}. ${found.hint}`, retryable: false };
}

/** What must hold before anything is paid for. */
function refusal({ signal, limits }: AskRequest): AskResult | undefined {
  if (signal.aborted) return { status: 'failed', code: 'cancelled', reason: 'cancelled before it began', retryable: false };
  const spent = (limits.maxTokens !== null && limits.maxTokens <= 0) || (limits.maxCostUsd !== null && limits.maxCostUsd <= 0);
  return spent ? { status: 'failed', code: 'budget', reason: 'nothing is left of the budget', retryable: false } : undefined;
}

/**
 * Agents that think in the user's own Claude Code, headless, one process an attempt, in a session whose id is known
 * beforehand: a later attempt resumes it, and is told what has come for it since. Who is logged in there pays; `costUsd` is
 * what the program says at list prices.
 */
export function createClaudeCliProvider(deps: ClaudeCliDeps): Provider {
  const { runtime, projectRoot, deadlineMs } = deps;
  const keys = KEYS.flatMap((name) => runtime.env[name] || []);
  const redact = (text: string): string => keys.reduce((rest, key) => rest.replaceAll(key, '…'), deps.redact(text));
  const answerDeps = { findingId: deps.findingId, redact };
  const running = new Map<AbortController, Promise<unknown>>();
  /** Of sessions that were begun anew, since they were not to be found: what was on record before, in dollars. */
  const lost = new Map<string, number>();
  let found: FoundClaude | undefined;
  let closed = false;

  const find = async (signal: AbortSignal): Promise<FoundClaude> => {
    if (found?.found === true) return found;
    found = await findClaude(runtime, signal);
    return found;
  };

  const run = async (
    path: string,
    { args, input, env }: ClaudeCommand,
    resumed: boolean,
    { signal, onStart: tellStart, onEvent }: Pick<AskRequest, 'onEvent' | 'signal'> & { readonly onStart: () => void },
  ): Promise<Ended> => {
    const limits = { timeoutMs: deadlineMs, maxBytes: MAX_OUTPUT_BYTES, group: true };
    const tell = async (pid: number): Promise<void> => {
      const mark = await markChild(runtime, pid);
      if (mark !== null) onEvent?.({ type: 'child_started', ...mark });
    };
    let told: Promise<void> | undefined;
    const onStart = (pid: number): void => {
      tellStart();
      told = tell(pid);
    };
    try {
      const exec = await runtime.exec(path, args, { cwd: projectRoot, input, env, signal, onStart, ...limits });
      const result = readClaudeResult(exec.stdout.toString('utf8'));
      return { exec, result, text: messageOf(exec, result), resumed };
    } finally {
      await told; // also of a program that was ended
    }
  };

  /** Resumes a later attempt; where the session is not there, or is there already, it does the other. Neither costs. */
  const runInSession = async (path: string, request: AskRequest, signal: AbortSignal, onStart: () => void): Promise<Ended> => {
    const prompt = await createPrompt(request, { redact, hasTools: false });
    const command = (resume: boolean): ClaudeCommand => claudeCommand(request, prompt, answerJsonSchema(request.kind), resume);
    const resume = request.sessionUsd !== null;
    const following = { signal, onStart, onEvent: (event: AskEvent) => request.onEvent?.(event) };
    if (request.onCall !== undefined) await untilAborted(request.onCall(), signal);
    const first = await run(path, command(resume), resume, following);
    const wrongWay = (resume ? NO_SESSION : SESSION_EXISTS).test(first.text);
    return wrongWay ? run(path, command(!resume), !resume, following) : first;
  };

  const usageOf = (request: AskRequest, result: ClaudeResult, resumed: boolean): Usage => {
    const { sessionId, sessionUsd } = request;
    if (!resumed && sessionUsd !== null) lost.set(sessionId, sessionUsd);
    return claudeUsage(result, resumed, resumed ? (sessionUsd ?? 0) - (lost.get(sessionId) ?? 0) : 0);
  };

  const failed = (failure: ClaudeFailure): Extract<AskResult, { status: 'failed' }> => ({
    status: 'failed',
    ...failure,
    reason: redact(failure.reason.slice(0, MAX_READ)).slice(0, MAX_REASON) || 'Claude Code gave no reason',
  });

  /** What the program refused its model; each is told, and becomes a finding. */
  const denied = (request: AskRequest, result: ClaudeResult) => {
    const denials = (result.permission_denials ?? []).slice(0, MAX_DENIALS);
    return denials.map(({ tool_name: tool, tool_input: input }) => {
      const shown = redact(JSON.stringify(input) ?? '').slice(0, MAX_INPUT_SHOWN);
      const reason = 'it is outside of the project or needs a permission';
      request.onEvent?.({ type: 'tool_called', tool, input: shown, outcome: 'refused', detail: reason, durationMs: 0 });
      // What it read before is not known.
      return { tool, what: 'outside' as const, asked: redact(askedOf(input)), reason, after: [] };
    });
  };

  const noResult = ({ exec, text }: Ended): AskResult => {
    if (exec.code === 0) {
      const reason = 'Claude Code ended without a whole JSON result';
      return { ...failed({ code: 'bad_output', reason, retryable: true }), possiblyBilled: true };
    }
    const reason = `Claude Code ended with ${exec.code === null ? 'a signal' : `exit code ${exec.code}`}: ${text}`;
    const failure = failed(claudeFailure(reason, runtime.now()));
    if (/unknown option/iu.test(text)) return { ...failure, reason: `${failure.reason}. It is too old. ${UPDATE_HINT}` };
    return { ...failure, possiblyBilled: true };
  };

  const answer = async (request: AskRequest, signal: AbortSignal, onStart: () => void): Promise<AskResult> => {
    const program = await find(signal);
    if (!program.found) return unavailable(program);
    request.onProgress?.(0, `claude ${program.version}`);
    const ended = await runInSession(program.path, request, signal, onStart);
    const { result } = ended;
    if (result === null) return noResult(ended);
    const usage = usageOf(request, result, ended.resumed);
    const refusals = denied(request, result);
    if (result.is_error) return { ...failed(claudeFailure(ended.text, runtime.now(), result)), usage };
    const given = await toStepOutput(request, result.structured_output ?? result.result ?? '', answerDeps);
    if (!given.ok) return { ...failed({ code: given.code, reason: given.reason, retryable: true }), usage };
    lost.delete(request.sessionId);
    const refused = await reportRefusals(request, refusals, answerDeps);
    const findings = [...given.output.findings, ...refused.findings];
    return {
      status: 'completed',
      output: { ...given.output, findings, notes: [...given.output.notes, ...refused.notes] },
      usage,
    };
  };

  const ask = async (request: AskRequest): Promise<AskResult> => {
    const refused = refusal(request);
    if (refused !== undefined) return refused;
    if (closed) return { status: 'failed', code: 'cancelled', reason: 'the provider is closed', retryable: false };
    const controller = new AbortController();
    let started = false;
    const onAbort = (): void => controller.abort(new CancelledError('cancelled'));
    request.signal.addEventListener('abort', onAbort, { once: true });
    const work = answer(request, controller.signal, () => (started = true));
    running.set(controller, work);
    try {
      return await work;
    } catch (thrown) {
      return thrownFailure(thrown, redact, started);
    } finally {
      running.delete(controller);
      request.signal.removeEventListener('abort', onAbort);
    }
  };

  return {
    name: 'claude-cli',
    paid: true,
    ask,
    [Symbol.asyncDispose]: async () => {
      closed = true;
      for (const controller of running.keys()) controller.abort(new CancelledError('the provider is closed'));
      await Promise.allSettled(running.values());
    },
  };
}
