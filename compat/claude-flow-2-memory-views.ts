import * as z from 'zod';
import { InvalidInputError } from '../src/errors.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { LegacyBody, LegacyCall, LegacyRow } from '../src/legacy/row.ts';
import { cacheClearOutput, cacheDeleteOutput, cacheGetOutput, cacheSetOutput, cacheStatsOutput } from '../src/tools/cache.ts';
import { memoryStatsOutput } from '../src/tools/memory-care.ts';
import { memoryClearOutput, memoryNamespacesOutput } from '../src/tools/namespaces.ts';
import { answered } from './answered.ts';
import type { Answer } from './answered.ts';

const FAMILY = 'claude-flow 2.7';

/** An argument that only some actions need. */
function needed<T>(tool: string, action: string, parameter: string, value: T | undefined, expected: string): T {
  if (value !== undefined) return value;
  throw new InvalidInputError(`${tool}: ${parameter}: expected ${expected} for action ${action}, got nothing`, {
    hint: `Give ${parameter}; nothing was changed.`,
    details: { parameter },
  });
}

const namespaceArgs = z.object({ action: z.enum(['list', 'create', 'delete', 'stats']), namespace: z.string().optional() });
type NamespaceArgs = z.output<typeof namespaceArgs>;

const namespaceCall = (args: NamespaceArgs, call: Pick<LegacyCall, 'tool' | 'input'>, answer: Answer): LegacyCall => ({
  ...call,
  body: answered('memory_namespace', { ...args }, (output) => {
    const { message, result } = answer(output);
    return { message, result: { action: args.action, ...result } };
  }),
});
const namespaceOf = ({ action, namespace }: NamespaceArgs): string =>
  needed('memory_namespace', action, 'namespace', namespace, 'text');

const NAMESPACE_ACTIONS: Readonly<Record<NamespaceArgs['action'], (args: NamespaceArgs) => LegacyCall>> = {
  list: (args) =>
    namespaceCall(args, { tool: 'memory_namespaces', input: {} }, (output) => {
      const { namespaces } = memoryNamespacesOutput.parse(output);
      return { message: `${namespaces.length} namespaces`, result: { namespaces, count: namespaces.length } };
    }),
  create: (args) => {
    const wanted = namespaceOf(args);
    return namespaceCall(args, { tool: 'memory_namespaces', input: {} }, (output) => {
      const exists = memoryNamespacesOutput.parse(output).namespaces.some(({ namespace }) => namespace === wanted);
      const message = exists ? 'it has entries already' : 'nothing to make: a namespace is there from its first entry on';
      return { message, result: { namespace: wanted, exists, created: false } };
    });
  },
  delete: (args) =>
    namespaceCall(args, { tool: 'memory_clear', input: { namespace: namespaceOf(args) } }, (output) => {
      const result = memoryClearOutput.parse(output);
      return { message: `${result.deleted} entries deleted`, result };
    }),
  stats: (args) =>
    namespaceCall(args, { tool: 'memory_stats', input: { namespace: namespaceOf(args) } }, (output) => {
      const { process: _process, namespace, ...stats } = memoryStatsOutput.parse(output);
      return { message: `${stats.entries} entries`, result: { namespace, stats } };
    }),
};

const memoryNamespace = defineLegacy({
  name: 'memory_namespace',
  family: FAMILY,
  description: 'claude-flow: list, delete or count a namespace.',
  tools: ['memory_namespaces', 'memory_clear', 'memory_stats'],
  args: namespaceArgs,
  plan: (args) => NAMESPACE_ACTIONS[args.action](args),
});

/** What entries are counted by: those of the last `days` are in all parts of `byAge` up to this one. */
const AGES = [
  { age: 'day', days: 1, said: 'the last 24 hours' },
  { age: 'week', days: 7, said: 'the last 7 days' },
  { age: 'month', days: 30, said: 'the last 30 days' },
  { age: 'older', days: Infinity, said: 'all times' },
] as const;
const DAYS: Readonly<Record<string, number>> = { hour: 1 / 24, h: 1 / 24, day: 1, d: 1, week: 7, w: 7, month: 30, all: Infinity };

/** Days of a timeframe such as `1h`, `24h`, `7d`, `2w`, `week` or `all`; `undefined` for any other text. */
function daysOf(timeframe: string): number | undefined {
  const [, count = '1', unit = ''] = /^(\d{1,6})? ?([a-z]+)$/.exec(timeframe.trim().toLowerCase()) ?? [];
  const days = Object.hasOwn(DAYS, unit) ? DAYS[unit] : undefined;
  return days === undefined ? undefined : Number(count) * days;
}

/** How many entries were written in a timeframe, or in the next wider one that is counted: then the note says which. */
function writtenIn(
  timeframe: string,
  byAge: z.output<typeof memoryStatsOutput>['byAge'],
): { readonly written: number; readonly note?: string } {
  const days = daysOf(timeframe);
  const last = AGES.findIndex((one) => one.days >= (days ?? Infinity));
  const parts = AGES.slice(0, last + 1);
  const written = parts.reduce((sum, { age }) => sum + byAge[age], 0);
  const range = parts.at(-1);
  if (range === undefined || range.days === days) return { written };
  const problem = days === undefined ? 'this timeframe is not understood' : 'entries are counted by 24h, 7d, 30d and all';
  return { written, note: `${problem}: written is of ${range.said}` };
}

function recommendations({ deleted, expired, byAge, entries }: z.output<typeof memoryStatsOutput>): readonly string[] {
  return [
    ...(expired > 0 ? [`${expired} expired entries take space: memory_compress removes them.`] : []),
    ...(deleted > 0 ? [`${deleted} deleted entries are kept for 30 days, then memory_compress removes them.`] : []),
    ...(entries > 0 && byAge.older === entries
      ? ['Nothing was written for a month: check what is remembered, and supersede what no longer holds.']
      : []),
  ];
}

const memoryAnalytics = defineLegacy({
  name: 'memory_analytics',
  family: FAMILY,
  description: 'claude-flow: figures of the process and of the memory.',
  tools: ['memory_stats'],
  args: z.object({ timeframe: z.string().default('24h').describe('24h, 7d, 30d or all') }),
  plan: ({ timeframe }) => ({
    tool: 'memory_stats',
    input: {},
    body: (output, timestamp) => {
      const stats = memoryStatsOutput.parse(output);
      const { process: current, namespace: _all, ...store } = stats;
      return {
        success: true,
        timeframe,
        current,
        // Of the heap that the process has taken from the system.
        usage_percentage: ((100 * current.heapUsed) / current.heapTotal).toFixed(2),
        recommendations: recommendations(stats),
        timestamp,
        ...writtenIn(timeframe, store.byAge),
        store,
      };
    },
  }),
});

const cacheArgs = z.object({
  action: z.enum(['get', 'set', 'delete', 'clear', 'stats']),
  key: z.string().optional(),
  value: z.unknown().optional(),
  ttl: z.number().positive().optional().describe('seconds'),
});
type CacheArgs = z.output<typeof cacheArgs>;

function cacheCall(
  { action, key, ttl }: CacheArgs,
  tool: string,
  input: LegacyBody,
  answer: (output: unknown) => readonly [message: string, result: LegacyBody],
): LegacyCall {
  // The value itself may be a megabyte, which the caller knows.
  const args = { action, ...(key === undefined ? {} : { key }), ...(ttl === undefined ? {} : { ttl }) };
  return {
    tool,
    input,
    body: answered('cache_manage', args, (output) => {
      const [message, result] = answer(output);
      return { message, result: { action, ...result } };
    }),
  };
}
const keyOf = ({ action, key }: CacheArgs): string => needed('cache_manage', action, 'key', key, 'text');

const CACHE_ACTIONS: Readonly<Record<CacheArgs['action'], (args: CacheArgs) => LegacyCall>> = {
  get: (args) =>
    cacheCall(args, 'cache_get', { key: keyOf(args) }, (output) => {
      const result = cacheGetOutput.parse(output);
      return [result.hit ? 'cached' : 'not cached', result];
    }),
  set: (args) => {
    const value = needed('cache_manage', args.action, 'value', args.value, 'text or any JSON');
    const input = { key: keyOf(args), value, ...(args.ttl === undefined ? {} : { ttlSeconds: args.ttl }) };
    const call = cacheCall(args, 'cache_set', input, (output) => {
      const result = cacheSetOutput.parse(output);
      return [`cached until ${result.expiresAt ?? 'it is deleted'}`, result];
    });
    return { ...call, spelling: { ttlSeconds: 'ttl' } };
  },
  delete: (args) =>
    cacheCall(args, 'cache_delete', { key: keyOf(args) }, (output) => {
      const result = cacheDeleteOutput.parse(output);
      return [result.deleted ? 'removed' : 'was not cached', result];
    }),
  clear: (args) =>
    cacheCall(args, 'cache_clear', {}, (output) => {
      const result = cacheClearOutput.parse(output);
      return [`${result.deleted} values removed`, result];
    }),
  stats: (args) =>
    cacheCall(args, 'cache_stats', {}, (output) => {
      const result = cacheStatsOutput.parse(output);
      return [`${result.entries} values cached`, result];
    }),
};

const cacheManage = defineLegacy({
  name: 'cache_manage',
  family: FAMILY,
  description: 'claude-flow: values with a time to live.',
  tools: ['cache_get', 'cache_set', 'cache_delete', 'cache_clear', 'cache_stats'],
  args: cacheArgs,
  plan: (args) => CACHE_ACTIONS[args.action](args),
});

/** Names of claude-flow 2.7 that look into the memory, or keep values in it for a while. */
export const CLAUDE_FLOW_2_MEMORY_VIEWS: readonly LegacyRow[] = [memoryNamespace, memoryAnalytics, cacheManage];
