import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGatedRepository } from './gated-skill.ts';
import { BIN, plainEnvironment, skillflow } from './product.ts';
import type { Place } from './product.ts';

let place: Place;
beforeAll(() => {
  place = createGatedRepository();
});
afterAll(() => place.remove());

type Answer =
  | { readonly action: 'accept'; readonly content: Readonly<Record<string, boolean | string>> }
  | { readonly action: 'decline' | 'cancel' };

interface Outcome {
  readonly questions: readonly string[];
  readonly status: unknown;
  readonly runId: string;
  readonly progress: readonly { readonly progress: number; readonly message?: string | undefined }[];
}

const program = (): ConstructorParameters<typeof OldTransport>[0] => ({
  command: process.execPath,
  args: [BIN, 'mcp'],
  cwd: place.dir,
  env: Object.fromEntries(
    Object.entries(plainEnvironment(place.dir)).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ),
  stderr: 'inherit',
});
const CALL = { name: 'skill_run', arguments: { skill: 'gated', tree: true, provider: 'local' } };
const outcome = (structured: unknown, questions: readonly string[], progress: Outcome['progress']): Outcome => {
  const { status, runId } = Object(structured);
  return { status, runId, questions, progress };
};

/** Runs the gated skill through a client of 2025 that answers so; `null`: it cannot ask. */
async function runOld(answer: Answer | null): Promise<Outcome> {
  const client = new OldClient({ name: 'old', version: '1' }, { capabilities: answer === null ? {} : { elicitation: {} } });
  const questions: string[] = [];
  const progress: Outcome['progress'][number][] = [];
  if (answer !== null) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      questions.push(params.message);
      return { ...answer };
    });
  }
  await client.connect(new OldTransport(program()));
  try {
    const { structuredContent } = await client.callTool(CALL, undefined, { onprogress: (one) => void progress.push(one) });
    return outcome(structuredContent, questions, progress);
  } finally {
    await client.close();
  }
}

/** As {@link runOld}, through a client of 2026, which calls again with the answer. */
async function runNew(answer: Answer | null): Promise<Outcome> {
  const client = new ModernClient(
    { name: 'new', version: '1' },
    { versionNegotiation: { mode: 'auto' }, capabilities: answer === null ? {} : { elicitation: { form: {} } } },
  );
  const questions: string[] = [];
  const progress: Outcome['progress'][number][] = [];
  if (answer !== null) {
    client.setRequestHandler('elicitation/create', ({ params }) => {
      questions.push(params.message);
      return answer.action === 'accept' ? { action: 'accept', content: { ...answer.content } } : { action: answer.action };
    });
  }
  await client.connect(new ModernTransport(program()));
  try {
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    const { structuredContent } = await client.callTool(CALL, { onprogress: (one) => void progress.push(one) });
    return outcome(structuredContent, questions, progress);
  } finally {
    await client.close();
  }
}

describe.each([
  ['2025', runOld],
  ['2026', runNew],
] as const)('a client of %s', { timeout: 60_000 }, (_era, runWith) => {
  test.each([
    [{ action: 'accept', content: { approve: true } }, 'completed'],
    // What was done is kept; only its file is not written.
    [{ action: 'accept', content: { approve: false } }, 'completed'],
    [{ action: 'decline' }, 'completed'],
    [{ action: 'cancel' }, 'awaiting_approval'],
    // Who says neither yes nor no refuses nothing.
    [{ action: 'accept', content: {} }, 'awaiting_approval'],
    [{ action: 'accept', content: { approved: true } }, 'awaiting_approval'],
    [{ action: 'accept', content: { approve: 'yes' } }, 'awaiting_approval'],
  ] as const)('is asked before a gate: %j makes it %s', async (answer, expected) => {
    const { questions, status } = await runWith(answer);
    expect(questions).toEqual([expect.stringMatching(/^Write \.skillflow\/runs\/run_[0-9a-z]+\/report\.json\?$/)]);
    expect(status).toBe(expected);
  });

  test('that cannot ask leaves the run waiting', async () => {
    expect(await runWith(null)).toMatchObject({ questions: [], status: 'awaiting_approval' });
  });

  test('hears what happens in the run, with progress that grows', async () => {
    const { progress, runId } = await runWith(null);
    const messages = progress.map(({ message }) => message);
    expect(messages).toEqual(
      expect.arrayContaining([
        `${runId}: gated began, 2 agents, 4 steps`,
        'security-analyst: 1-work-security-analyst',
        'context-reviewer: done',
      ]),
    );
    const steps = progress.map(({ progress: done }) => done);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
  });
});

describe('following a run', { timeout: 60_000 }, () => {
  const latestState = async (): Promise<unknown> => {
    const { stdout } = await skillflow(['runs', '--limit', '1', '--json'], { cwd: place.dir });
    return JSON.parse(stdout).runs[0].status;
  };

  /** The messages that a call sends before its answer. A client drops those that come together with the answer. */
  const messagesOf = async (name: string, args: Record<string, unknown>): Promise<readonly string[]> => {
    const capabilities = {};
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'test', version: '1' } };
    const input = [
      { jsonrpc: '2.0', id: 1, method: 'initialize', params },
      { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: args, _meta: { progressToken: 'p' } } },
    ];
    const { stdout } = await skillflow(['mcp'], {
      cwd: place.dir,
      input: input.map((message) => `${JSON.stringify(message)}\n`).join(''),
    });
    return stdout
      .trim()
      .split('\n')
      .flatMap((line) => JSON.parse(line).params?.message ?? []);
  };
  const ENDS = [
    expect.stringMatching(/^context-reviewer: done, 1 vote/),
    'the vote: 1 confirmed',
    expect.stringMatching(/^waits for the approval "writing"/),
  ];

  test('skill_run tells steps, votes and what it waits for', async () => {
    expect(await messagesOf('skill_run', CALL.arguments)).toEqual(expect.arrayContaining(ENDS));
  });

  test('run_events hands events out as they come, and run_approve those of the run that it lets go on', async () => {
    const { runId } = await runOld(null);
    expect(await messagesOf('run_events', { runId, waitMs: 100 })).toEqual(expect.arrayContaining(ENDS));
    expect((await messagesOf('run_approve', { runId, approved: true })).at(-1)).toBe(
      'completed: 1 confirmed, 0 rejected, 0 undecided',
    );
  });

  const waitingRun = async (): Promise<string> => {
    const { stdout } = await skillflow(['runs', '--limit', '1', '--json'], { cwd: place.dir });
    const [run] = JSON.parse(stdout).runs;
    return run?.status === 'awaiting_approval' ? run.runId : '';
  };

  test.each([
    ['approve', 'completed'],
    ['cancel', 'cancelled'],
  ])('%s from elsewhere takes a question back that a client of 2025 was sent', async (verb, expected) => {
    const client = new OldClient({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } });
    let tellAsked = (): void => undefined;
    const asked = new Promise<void>((resolve) => (tellAsked = resolve));
    client.setRequestHandler(ElicitRequestSchema, () => {
      tellAsked();
      return new Promise(() => undefined);
    });
    const transport = new OldTransport(program());
    await client.connect(transport);
    // This client takes no note of a cancellation of the request 0.
    const heard: string[] = [];
    const { onmessage } = transport;
    transport.onmessage = (message) => {
      if ('method' in message) heard.push(message.method);
      onmessage?.(message);
    };
    try {
      const called = client.callTool(CALL);
      await asked;
      const flags = verb === 'approve' ? ['--approved'] : [];
      expect((await skillflow([verb, await waitingRun(), ...flags], { cwd: place.dir })).code).toBe(0);
      expect(Object((await called).structuredContent).status).toBe(expected);
      expect(heard).toContain('notifications/cancelled');
    } finally {
      await client.close();
    }
  });

  test.each([
    ['approve', 'completed'],
    ['cancel', 'cancelled'],
  ])('after %s from elsewhere the answer of a client of 2026 gets the result', async (verb, expected) => {
    const client = new ModernClient(
      { name: 'new', version: '1' },
      { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { form: {} } } },
    );
    await client.connect(new ModernTransport(program()));
    try {
      const asked = await client.callTool(CALL, { allowInputRequired: true });
      expect(asked).toMatchObject({ resultType: 'input_required' });
      const flags = verb === 'approve' ? ['--approved'] : [];
      expect((await skillflow([verb, await waitingRun(), ...flags], { cwd: place.dir })).code).toBe(0);
      const late = { ...CALL, requestState: Object(asked).requestState, inputResponses: { approval: { action: 'decline' } } };
      const answered = await client.request({ method: 'tools/call', params: late });
      expect(Object(Object(answered).structuredContent).status).toBe(expected);
    } finally {
      await client.close();
    }
  });

  test('a client that leaves without an answer leaves the run waiting', async () => {
    const client = new ModernClient(
      { name: 'new', version: '1' },
      { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { form: {} } } },
    );
    await client.connect(new ModernTransport(program()));
    const asked = await client.callTool(CALL, { allowInputRequired: true });
    expect(asked).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) });
    await client.close();
    await expect.poll(latestState, { timeout: 10_000 }).toBe('awaiting_approval');

    const old = new OldClient({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } });
    let isAsked = (): void => undefined;
    const asking = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    old.setRequestHandler(ElicitRequestSchema, () => {
      isAsked();
      return new Promise(() => undefined);
    });
    await old.connect(new OldTransport(program()));
    const called = old.callTool(CALL).catch(() => undefined);
    await asking;
    await old.close();
    await called;
    await expect.poll(latestState, { timeout: 10_000 }).toBe('awaiting_approval');
  });

  test('an answer for a call that is gone begins nothing', async () => {
    const client = new ModernClient({ name: 'new', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new ModernTransport(program()));
    const count = async (): Promise<unknown> =>
      Object(Object(await client.callTool({ name: 'run_list', arguments: {} })).structuredContent).total;
    try {
      const before = await count();
      const stale = { ...CALL, requestState: 'of-an-earlier-server', inputResponses: { approval: { action: 'decline' } } };
      expect(await client.request({ method: 'tools/call', params: stale })).toMatchObject({
        isError: true,
        structuredContent: { error: { code: 'not_found', hint: expect.stringContaining('run_approve') } },
      });
      expect(await count()).toBe(before);
    } finally {
      await client.close();
    }
  });
});
