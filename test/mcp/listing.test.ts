import { describe, expect, test } from 'vitest';
import { claudeFlow2 } from '../../compat/claude-flow-2.ts';
import { listings, mcpListing } from '../../src/listings.ts';
import { allTools } from '../../src/tools/all-tools.ts';

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const names = (tools: readonly { readonly name: string }[]): readonly string[] => tools.map(({ name }) => name);

describe('what tools/list answers', () => {
  test('by default what most sessions need, within 10 KB', () => {
    expect(bytes(mcpListing.default)).toBeLessThanOrEqual(10_240);
    expect(names(mcpListing.default)).toEqual(
      expect.arrayContaining(['skill_run', 'memory_store', 'memory_search', 'memory_supersede', 'memory_usage', 'swarm_init']),
    );
    // What the client needs to do the agents' steps itself, to steer a run, and to hold a vote.
    expect(names(mcpListing.default)).toEqual(
      expect.arrayContaining([
        'task_submit',
        'task_claim',
        'task_complete',
        'agent_spawn',
        'task_orchestrate',
        'run_list',
        'run_status',
        'run_resume',
        'run_cancel',
        'run_approve',
        'vote_open',
        'vote_cast',
        'decision_status',
      ]),
    );
    expect(names(mcpListing.default)).toEqual(
      expect.not.arrayContaining(['memory_backup', 'memory_history', 'cache_set', 'cache_manage', 'snapshot_restore']),
    );
  });

  test('all: every tool and every legacy name that acts, each once, with all parameters', () => {
    const all = names(mcpListing.all);
    expect([...all].sort()).toEqual([...new Set([...names(allTools), ...claudeFlow2.rows.map(({ name }) => name)])].sort());
    // Who asks for all has 95 names with their rare parameters and bounds, about 470 bytes each.
    expect(bytes(mcpListing.all)).toBeLessThan(49_152);
    const search = (tools: typeof mcpListing.all): readonly string[] =>
      Object.keys(tools.find(({ name }) => name === 'memory_search')?.inputSchema.properties ?? {});
    expect(search(mcpListing.all)).toEqual(
      expect.arrayContaining(['phrase', 'keys', 'validAt', 'cursor', 'explain', 'minScore']),
    );
    expect(search(mcpListing.default)).toEqual(
      expect.arrayContaining(['query', 'namespace', 'kind', 'tags', 'maxTokens', 'limit', 'offset']),
    );
    expect(search(mcpListing.default)).not.toContain('phrase');
    expect(JSON.stringify(mcpListing)).not.toContain('"rare"');
  });

  test('bounds of values are told where every byte is not counted; they hold in both', () => {
    const limit = (tools: typeof mcpListing.all): unknown =>
      tools.find(({ name }) => name === 'memory_search')?.inputSchema.properties?.['limit'];
    expect(limit(mcpListing.default)).toEqual({ type: 'integer', default: 10 });
    expect(limit(mcpListing.all)).toMatchObject({ minimum: 1, maximum: 100 });
  });

  test('required parameters are always shown', () => {
    for (const { name, inputSchema } of mcpListing.default)
      expect(Object.keys(inputSchema.properties ?? {}), name).toEqual(expect.arrayContaining(inputSchema.required ?? []));
  });

  test('every tool is a command, and full names stay within 64 characters', () => {
    const commands = listings.map(({ cli }) => cli?.command.join(' ') ?? '');
    expect(commands.filter((command) => command === '')).toEqual([]);
    expect(new Set(commands).size).toBe(commands.length);
    for (const name of names(mcpListing.all)) expect(`mcp__plugin_skillflow_skillflow__${name}`.length).toBeLessThanOrEqual(64);
  });

  test('the short listing leaves out hints that are the default of the protocol, but for what destroys', () => {
    for (const { name, annotations } of mcpListing.default) {
      const { readOnlyHint, destructiveHint, idempotentHint } = annotations ?? {};
      const whole = mcpListing.all.find((tool) => tool.name === name)?.annotations;
      expect([readOnlyHint ?? false, destructiveHint, idempotentHint ?? false], name).toEqual([
        whole?.readOnlyHint,
        whole?.destructiveHint,
        whole?.idempotentHint ?? false,
      ]);
    }
  });

  test('tools that only read say so, and the others what they do', () => {
    for (const { name, annotations } of mcpListing.all) {
      const { readOnlyHint, destructiveHint, idempotentHint } = annotations ?? {};
      expect(typeof readOnlyHint, name).toBe('boolean');
      expect([typeof destructiveHint, typeof idempotentHint], name).toEqual(
        readOnlyHint === true ? ['undefined', 'undefined'] : ['boolean', 'boolean'],
      );
    }
  });
});
