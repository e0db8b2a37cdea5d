import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { AskRequest, AskResult, Provider } from '../../src/agent/provider.ts';
import { withDeadline } from '../../src/agent/deadline.ts';
import { useScratch, testRuntime } from '../store/scratch.ts';
import { askRequest } from './ask-request.ts';
import { noChanges, outputOf } from './seen-finding.ts';

/** What the thing behind a provider does. */
export type Scenario =
  | 'answers'
  /** Votes on the finding `f1`, in another's name where its protocol has a place for a name. */
  | 'judges'
  | 'wrong_shape'
  | 'hangs'
  /** Sends without an end. */
  | 'floods'
  /** Fails with {@link CONTRACT_KEY} in its message. */
  | 'fails';

/** A key that a provider is given in its scenarios, and that no result may hold. */
export const CONTRACT_KEY = ['sk', 'ant', 'api03', 'Zq8vT2mK5xW9bR4nL7cJ1hF6dS3gP0aY'].join('-');

export interface ProviderUnderTest {
  readonly provider: Provider;
  /** Whether a call is under way at whatever is behind it; absent: as soon as it was asked. */
  readonly isAsked?: () => boolean;
  /** Processes that it started and that are alive. */
  readonly alive?: () => readonly number[];
}

/** Gives a provider whose other side acts as the scenario says, or `null` where that cannot happen to it. */
export type MakeProvider = (
  scenario: Scenario,
  scratch: { readonly folder: string; onCleanUp(action: () => Promise<unknown>): void },
) => Promise<ProviderUnderTest | null>;

const range = z.strictObject({ startLine: z.int(), startColumn: z.int(), endLine: z.int(), endColumn: z.int() });
const FINDING = z.object({
  id: z.string(),
  rule: z.string(),
  severity: z.enum(['critical', 'high', 'medium', 'low', 'info']),
  confidence: z.enum(['high', 'medium', 'low']),
  capability: z.string(),
  file: z.string(),
  range,
  message: z.string(),
  evidence: z.string().max(400),
});
const BALLOT = z.strictObject({
  subject: z.string(),
  voter: z.string(),
  vote: z.enum(['confirm', 'reject', 'abstain']),
  reason: z.string().min(1),
});
const OUTPUT = z.strictObject({
  findings: z.array(FINDING),
  ballots: z.array(BALLOT),
  notes: z.array(z.object({ code: z.string(), message: z.string() })),
  stats: z.record(z.string(), z.number()),
  text: z.string().optional(),
  confidence: z.number().min(0).max(1).optional(),
});
const count = z.int().min(0);
const USAGE = z.strictObject({
  model: z.string().min(1),
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWriteTokens: count,
  requests: count,
  costUsd: z.number().min(0).nullable(),
});

/** Milliseconds: far more than it takes, so that only what does not end at all fails here. */
const PATIENCE_MS = 20_000;
const judged = { kind: 'judge', sees: [{ stepId: 's', agentId: 'other', output: outputOf('f1') }] } as const;

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: PATIENCE_MS, interval: 20 }).toBe(true);
}

function completed(result: AskResult): Extract<AskResult, { status: 'completed' }> {
  if (result.status !== 'completed') throw new Error(`not completed: ${JSON.stringify(result)}`);
  return result;
}

/** What every provider must hold, as a run sees it: with a deadline around it. */
export function describeProvider(name: string, make: MakeProvider): void {
  describe(`the provider ${name}`, { timeout: 2 * PATIENCE_MS }, () => {
    const scratch = useScratch();
    const open: Provider[] = [];
    afterEach(async () => {
      for (const provider of open.splice(0)) await provider[Symbol.asyncDispose]();
    });

    const start = async (skip: (note: string) => never, scenario: Scenario, deadlineMs = PATIENCE_MS) => {
      const folder = await scratch.folder();
      const made = await make(scenario, { folder, onCleanUp: scratch.onCleanUp });
      if (made === null) return skip(`${scenario}: not with this provider`);
      const provider = withDeadline(made.provider, deadlineMs, testRuntime());
      open.push(provider);
      const ask = (parts: Partial<AskRequest> = {}): Promise<AskResult> => provider.ask(askRequest(noChanges(folder), parts));
      const { isAsked = () => true, alive = () => [] } = made;
      return { provider, ask, isAsked, alive };
    };

    test('an answer has the shape of a step, and says what it cost where it costs', async ({ skip }) => {
      const subject = await start(skip, 'answers');
      const { output, usage } = completed(await subject.ask());
      expect(OUTPUT.safeParse(output).error).toBeUndefined();
      const expected = subject.provider.paid ? USAGE : z.undefined();
      expect(expected.safeParse(usage).error).toBeUndefined();
    });

    test('the same question may be asked again, and at the same time by others', async ({ skip }) => {
      const subject = await start(skip, 'answers');
      const first = completed(await subject.ask());
      const ids = ['21111111-2222-4333-8444-555555555555', '31111111-2222-4333-8444-555555555555'];
      const others = await Promise.all(ids.map((sessionId) => subject.ask({ sessionId })));
      const again = completed(await subject.ask({ attempt: 2 }));
      for (const result of [...others, again]) expect(completed(result).output).toEqual(first.output);
    });

    test('a ballot is cast in nobody else’s name', async ({ skip }) => {
      const subject = await start(skip, 'judges');
      const { ballots } = completed(await subject.ask(judged)).output;
      expect(ballots.map(({ subject: id, voter }) => [id, voter])).toEqual([['f1', 'reviewer-1']]);
    });

    test('an answer of another shape is a failure', async ({ skip }) => {
      const subject = await start(skip, 'wrong_shape');
      expect(await subject.ask()).toMatchObject({ status: 'failed', code: 'bad_output' });
    });

    test('a flood is a failure', async ({ skip }) => {
      const subject = await start(skip, 'floods');
      expect(await subject.ask()).toMatchObject({ status: 'failed', code: 'bad_output' });
      await until(() => subject.alive().length === 0);
    });

    test('a failure is an answer, without a key in it', async ({ skip }) => {
      const subject = await start(skip, 'fails');
      const result = await subject.ask();
      expect(result.status).toBe('failed');
      expect(JSON.stringify(result)).not.toContain(CONTRACT_KEY);
    });

    test('a hang ends at the deadline', async ({ skip }) => {
      const subject = await start(skip, 'hangs', 300);
      expect(await subject.ask()).toMatchObject({ status: 'failed', code: 'deadline', retryable: true });
      await until(() => subject.alive().length === 0);
    });

    test('cancelled before it began: nothing is asked', async ({ skip }) => {
      const subject = await start(skip, 'hangs');
      const result = await subject.ask({ signal: AbortSignal.abort() });
      expect(result).toMatchObject({ status: 'failed', code: 'cancelled', retryable: false });
      expect(subject.alive()).toEqual([]);
    });

    test('whoever costs says so before it sends anything, and sends nothing where nobody takes note', async ({ skip }) => {
      const subject = await start(skip, 'answers');
      const asked: boolean[] = [];
      const onCall = async (): Promise<void> => void asked.push(subject.isAsked());
      completed(await subject.ask({ onCall }));
      const isPaid = subject.provider.paid;
      expect(asked[0]).toBe(isPaid ? false : undefined);
      if (!isPaid) return;
      const unheard = await start(skip, 'answers');
      const refused = await unheard.ask({ onCall: () => Promise.reject(new Error('no place to write')) });
      expect(refused).toMatchObject({ status: 'failed', reason: expect.stringContaining('no place to write') });
      expect(refused).not.toHaveProperty('possiblyBilled');
      expect(refused).not.toHaveProperty('usage');
      expect([unheard.isAsked(), unheard.alive()]).toEqual([false, []]);
    });

    test('cut off before it may send: nothing is sent, and nothing may be billed', async ({ skip }) => {
      const subject = await start(skip, 'hangs');
      if (!subject.provider.paid) return;
      const controller = new AbortController();
      const onCall = (): Promise<void> => new Promise(() => controller.abort());
      const result = await subject.ask({ signal: controller.signal, onCall });
      expect(result).toMatchObject({ status: 'failed', code: 'cancelled' });
      expect(result).not.toHaveProperty('possiblyBilled');
      expect(result).not.toHaveProperty('usage');
      expect([subject.isAsked(), subject.alive()]).toEqual([false, []]);
    });

    test('cancelled while it works: it ends', async ({ skip }) => {
      const subject = await start(skip, 'hangs');
      const controller = new AbortController();
      const result = subject.ask({ signal: controller.signal });
      await until(subject.isAsked);
      controller.abort();
      expect(await result).toMatchObject({ status: 'failed', code: 'cancelled', retryable: false });
      await until(() => subject.alive().length === 0);
    });

    test('closing it ends what is under way', async ({ skip }) => {
      const subject = await start(skip, 'hangs', 2_000);
      const result = subject.ask();
      await until(subject.isAsked);
      await subject.provider[Symbol.asyncDispose]();
      expect((await result).status).toBe('failed');
      await until(() => subject.alive().length === 0);
    });
  });
}
