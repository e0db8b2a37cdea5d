import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { createTracing } from '../../src/app/tracing.ts';
import { loadConfig } from '../../src/config.ts';
import type { Executor } from '../../src/executor/executor.ts';
import type { Runtime } from '../../src/runtime.ts';
import { FAKE_API_KEY, startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { CALLER, createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';
import { writeFiles } from '../skill/skill-folder.ts';
import { testRuntime } from '../store/scratch.ts';
import { startOtlpReceiver } from '../trace/otlp-receiver.ts';

const SECRET_TASK = 'look for hunter2-in-the-task';
const SKILL = `---
name: reviewed
description: Use when testing.
---
# Reviewed

Do it well.
`;
const SWARM = `agents:
  - type: coordinator
    count: 1
    capabilities: [clones]
  - type: security-analyst
    count: 2
    capabilities: [security-patterns]
coordination:
  topology: star
`;
const THINKING = `agents:
  - type: design-reviewer
    count: 1
    capabilities: [reasoning]
    prompt: Review it.
coordination:
  topology: star
`;
/** A finding is made of it, whose text must not leave. */
const CODE = "import { exec } from 'node:child_process';\nexport const run = (req) => exec('ls ' + req.query.hunter2);\n";

const DONE: Executor = { call: async () => ({ ok: true, output: {} }) };

interface Logged {
  readonly runtime: Runtime;
  readonly lines: string[];
}

function logged(env: Readonly<Record<string, string>>): Logged {
  const lines: string[] = [];
  return { lines, runtime: testRuntime({ env, log: (level, message) => void lines.push(`${level}: ${message}`) }) };
}

async function appWith(runtime: Runtime): Promise<TestApp> {
  const app = await createTestApp({ runtime, isFile: true });
  await writeFiles(join(app.dir, '.skillflow', 'skills', 'reviewed'), { 'SKILL.md': SKILL, 'swarm.yaml': SWARM });
  await writeFiles(app.dir, { 'src/a.js': CODE });
  return app;
}

const review = (app: TestApp) => app.call('skill_run', { skill: 'reviewed', task: SECRET_TASK, files: ['src'] });

const warnings = ({ lines }: Logged): readonly string[] => lines.filter((line) => line.startsWith('warn'));

describe('with an endpoint', () => {
  test('a run, its steps and the call that started it arrive as spans, and no text does', async () => {
    await using receiver = await startOtlpReceiver();
    const log = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    let runId = '';
    let events: readonly { readonly type: string }[] = [];
    {
      await using app = await appWith(log.runtime);
      const result = await review(app);
      expect(result).toMatchObject({ ok: true, output: { status: 'completed' } });
      runId = result.ok ? String(Object(result.output).runId) : '';
      const read = await app.call('run_events', { runId, limit: 1000 });
      events = read.ok ? Object(read.output).events : [];
    }
    expect(receiver.requests.map(({ path }) => path)).toContain('/v1/traces');
    const spans = receiver.spans();
    const [root, ...others] = spans.filter(({ name }) => name === 'skillflow.run');
    expect(others).toEqual([]);
    expect(root).toMatchObject({
      attributes: {
        'gen_ai.operation.name': 'invoke_workflow',
        'gen_ai.workflow.name': 'reviewed',
        'skillflow.run.id': runId,
        'skillflow.provider': 'local',
        'skillflow.topology': 'star',
        'skillflow.run.status': 'completed',
        'skillflow.run.cost_usd': 0,
      },
      resource: { 'service.name': 'skillflow', 'service.version': '0.0.0' },
      status: { code: 0 },
    });
    expect(root?.parentSpanId).toBeUndefined();
    const steps = spans.filter(({ name }) => name.startsWith('invoke_agent '));
    expect(steps).toHaveLength(events.filter(({ type }) => type === 'step_started').length);
    expect(steps.length).toBeGreaterThan(2);
    for (const step of steps) {
      expect(step).toMatchObject({
        traceId: root?.traceId,
        parentSpanId: root?.spanId,
        attributes: {
          'gen_ai.operation.name': 'invoke_agent',
          'gen_ai.provider.name': 'local',
          'skillflow.step.attempt': 1,
          'skillflow.run.id': runId,
        },
      });
      expect(BigInt(step.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root?.startTimeUnixNano ?? 0));
      expect(BigInt(step.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root?.endTimeUnixNano ?? 0));
    }
    expect(new Set(steps.map(({ name }) => name))).toContain('invoke_agent security-analyst');
    expect(spans.filter(({ name }) => name === 'skillflow.tool').map(({ attributes }) => attributes)).toEqual([
      { 'skillflow.tool.name': 'skill_run', 'skillflow.surface': 'api', 'skillflow.run.id': runId },
      { 'skillflow.tool.name': 'run_events', 'skillflow.surface': 'api', 'skillflow.run.id': runId },
    ]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    // The journal has the task and the code that was found; the spans have neither.
    expect(JSON.stringify(events)).toMatch(/hunter2-in-the-task.*query\.hunter2/);
    expect(JSON.stringify(receiver.requests)).not.toContain('hunter2');
    expect(warnings(log)).toEqual([]);
  });

  test('the calls of tools by an agent that thinks are below its step, which says what it used', async () => {
    await using receiver = await startOtlpReceiver();
    await using api = await startFakeMessagesApi();
    const finding = {
      rule: 'r',
      severity: 'low',
      confidence: 'low',
      file: 'src/a.js',
      startLine: 1,
      endLine: 1,
      message: 'm',
      evidence: 'e',
    };
    api.script(
      {
        type: 'tools',
        calls: [
          { name: 'read_file', input: { path: 'src/a.js' } },
          { name: 'read_file', input: { path: '../../hunter2' } },
          { name: 'report_finding', input: finding },
        ],
        usage: { input: 10, output: 2, cacheRead: 5 },
      },
      { type: 'answer', answer: { findings: [], text: 'hunter2', confidence: 0.7, notes: [] }, usage: { input: 20, output: 3 } },
    );
    const { runtime } = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    await using app = await appWith(runtime);
    await writeFiles(join(app.dir, '.skillflow', 'skills', 'reviewed'), { 'swarm.yaml': THINKING });
    {
      await using thinking = createApp({
        config: loadConfig({
          projectRoot: app.dir,
          rootSource: 'test',
          home: app.dir,
          flags: {},
          env: { ANTHROPIC_API_KEY: FAKE_API_KEY, ANTHROPIC_BASE_URL: api.url },
        }),
        runtime,
        version: '0.0.0',
        packageDir: join(import.meta.dirname, '..', '..'),
        workerUrl: null,
        vectorWorkerUrl: null,
      });
      const result = await thinking.call('skill_run', { skill: 'reviewed', files: ['src'], provider: 'anthropic' }, CALLER);
      expect(result).toMatchObject({ ok: true, output: { status: 'completed' } });
    }
    const spans = receiver.spans();
    const step = spans.find(({ attributes }) => attributes['gen_ai.usage.input_tokens'] !== undefined);
    expect(step).toMatchObject({
      name: 'invoke_agent design-reviewer',
      attributes: {
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.request.model': expect.stringMatching(/^claude-/),
        'gen_ai.usage.input_tokens': 35,
        'gen_ai.usage.output_tokens': 5,
        'gen_ai.usage.cache_read.input_tokens': 5,
        'skillflow.cost_usd': expect.any(Number),
      },
    });
    const tools = spans.filter(({ name }) => name.startsWith('execute_tool '));
    expect(tools.map(({ name, parentSpanId, status }) => [name, parentSpanId, status.message])).toEqual([
      ['execute_tool read_file', step?.spanId, undefined],
      ['execute_tool read_file', step?.spanId, 'refused'],
      ['execute_tool report_finding', step?.spanId, undefined],
    ]);
    expect(JSON.stringify(receiver.requests)).not.toMatch(new RegExp(`hunter2|${FAKE_API_KEY}`));
  });

  test('the endpoint for traces alone is used as it is', async () => {
    await using receiver = await startOtlpReceiver();
    const { runtime } = logged({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own/path`,
    });
    {
      await using app = await appWith(runtime);
      await app.call('memory_store', { key: 'k', value: 'v' });
      await app.call('no such tool with a sk-secret', {});
    }
    expect(new Set(receiver.requests.map(({ path }) => path))).toEqual(new Set(['/own/path']));
    expect(receiver.spans().map(({ attributes, status }) => [attributes['skillflow.tool.name'], status.message])).toEqual([
      ['memory_store', undefined],
      ['_OTHER', 'not_found'],
    ]);
    expect(JSON.stringify(receiver.requests)).not.toContain('sk-secret');
  });

  test('what goes on with a run later adds to its trace, and repeats no span', async () => {
    await using receiver = await startOtlpReceiver();
    const { runtime } = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    {
      await using app = await appWith(runtime);
      const result = await review(app);
      const runId = result.ok ? String(Object(result.output).runId) : '';
      await app.restart();
      // Reading the whole run makes no spans of it.
      await app.call('run_show', { runId });
      await app.restart();
      const before = receiver.spans().filter(({ name }) => name !== 'skillflow.tool').length;
      const step = receiver.spans().find(({ name }) => name.startsWith('invoke_agent'));
      const first = String(step?.attributes['skillflow.step.id']);
      const control = await app.skillflow.app.runControl();
      await control.repeat(runId, first, false);
      await app.skillflow.app.resumeRun(runId, { signal: new AbortController().signal, onProgress: () => undefined });
      await app.restart();
      const spans = receiver.spans().filter(({ name }) => name !== 'skillflow.tool');
      expect(spans.length).toBeGreaterThan(before);
      expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
      expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
      const roots = spans.filter(({ name }) => name === 'skillflow.run');
      expect(roots.map(({ parentSpanId }) => parentSpanId)).toEqual([undefined, roots[0]?.spanId]);
      expect(spans.at(-1)?.name).toBe('skillflow.run');
      const again = spans.filter(({ attributes }) => attributes['skillflow.step.id'] === first);
      expect(again.map(({ attributes }) => attributes['skillflow.step.attempt'])).toEqual([1, 2]);
    }
  });

  test.each([
    ['is dead', async () => null],
    ['never answers', async () => startOtlpReceiver(null)],
    ['refuses', async () => startOtlpReceiver(400)],
  ])('one that %s changes no answer, and is told once', async (_, open) => {
    const receiver = await open();
    try {
      const log = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver?.url ?? 'http://127.0.0.1:9'}/secret-path` });
      {
        await using app = await appWith(log.runtime);
        expect(await review(app)).toMatchObject({ ok: true, output: { status: 'completed' } });
      }
      expect(warnings(log).length).toBeLessThanOrEqual(1);
      expect(log.lines.filter((line) => /could not be exported to http:\/\/127|were not exported within/.test(line))).not.toEqual(
        [],
      );
      expect(log.lines.join('\n')).not.toContain('secret-path');
    } finally {
      await receiver?.[Symbol.asyncDispose]();
    }
  });

  test('an address that is none is told once', async () => {
    const log = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: 'no address' });
    {
      await using app = await appWith(log.runtime);
      expect(await app.call('memory_store', { key: 'k', value: 'v' })).toMatchObject({ ok: true });
      expect(await app.call('memory_get', { key: 'k' })).toMatchObject({ ok: true });
    }
    expect(warnings(log)).toEqual([expect.stringContaining('no spans are exported')]);
  });

  test('without the packages, one warning says what to install', async () => {
    const log = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
    const load = (name: string): Promise<unknown> => import(`${name}-that-is-absent`);
    const imported = async (name: string): Promise<unknown> => {
      throw Object.assign(new Error(`Cannot find package '${name}' imported from here`), { code: 'ERR_MODULE_NOT_FOUND' });
    };
    for (const loader of [load, imported]) {
      log.lines.length = 0;
      await using tracing = createTracing({ runtime: log.runtime, version: '0.0.0', load: loader });
      const { call } = tracing.executor(DONE);
      for (let times = 0; times < 3; times += 1) expect(await call('t', {}, CALLER)).toEqual({ ok: true, output: {} });
      await tracing[Symbol.asyncDispose]();
      expect(log.lines).toEqual([
        expect.stringMatching(/^warn: .*npm install @opentelemetry\/api @opentelemetry\/sdk-trace-base/),
      ]);
    }
    expect(log.lines[0]).toContain('@opentelemetry/api is not installed');
  });

  test('a package of another shape is told, not used', async () => {
    const log = logged({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
    await using tracing = createTracing({ runtime: log.runtime, version: '0.0.0', load: async () => ({}) });
    await tracing.executor(DONE).call('t', {}, CALLER);
    await tracing[Symbol.asyncDispose]();
    expect(log.lines).toEqual([expect.stringContaining('this version of @opentelemetry/api is not one that Skillflow knows')]);
  });
});

test.each([
  ['no endpoint', {}],
  ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  ['the SDK disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' }],
  ['no exporter of traces', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_EXPORTER: 'none' }],
])('with %s nothing is imported, and calls and journals are the same ones', async (_, env) => {
  const imported: string[] = [];
  const log = logged(env);
  const load = async (name: string): Promise<unknown> => imported.push(name);
  await using tracing = createTracing({ runtime: log.runtime, version: '0.0.0', load });
  expect(tracing.executor(DONE)).toBe(DONE);
  await tracing.executor(DONE).call('t', {}, CALLER);
  await tracing[Symbol.asyncDispose]();
  expect({ imported, lines: log.lines }).toEqual({ imported: [], lines: [] });
});
