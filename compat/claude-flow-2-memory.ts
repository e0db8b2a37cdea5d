import * as z from 'zod';
import { InvalidInputError } from '../src/errors.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { LegacyCall, LegacyRow } from '../src/legacy/row.ts';
import { sameArgument } from '../src/legacy/same-argument.ts';
import { memoryDeleteOutput, memoryGetOutput, memoryListOutput, memoryStoreOutput } from '../src/tools/memory-entries.ts';
import { memorySearchOutput } from '../src/tools/memory-search.ts';
import { counted } from '../src/tools/table.ts';
import { askForPattern, isPattern } from './key-pattern.ts';

const FAMILY = 'claude-flow 2.7';
const STORAGE = { storage_type: 'libsql' } as const;

const usageArgs = z.object({
  action: z.enum(['store', 'retrieve', 'list', 'delete', 'search']),
  key: z.string().optional(),
  value: z.unknown().optional().describe('to store, or to search for'),
  namespace: z.string().default('default'),
  ttl: z.number().positive().optional().describe('seconds'),
  pattern: z.string().optional(),
  query: z.string().optional(),
  limit: z.number().optional(),
  offset: z.number().optional(),
});
type UsageArgs = z.output<typeof usageArgs>;

function refused({ action }: UsageArgs, parameter: string, expected: string, came: unknown): InvalidInputError {
  const got = came === undefined ? 'nothing' : typeof came;
  return new InvalidInputError(`memory_usage: ${parameter}: expected ${expected} for action ${action}, got ${got}`, {
    hint: `Correct ${parameter}; nothing was changed.`,
    details: { parameter },
  });
}

function keyOf(args: UsageArgs): string {
  if (args.key === undefined) throw refused(args, 'key', 'text', undefined);
  return args.key;
}

const store = (args: UsageArgs): LegacyCall => {
  if (args.value === undefined) throw refused(args, 'value', 'text or any JSON', undefined);
  return {
    tool: 'memory_store',
    input: { key: keyOf(args), value: args.value, namespace: args.namespace, ttlSeconds: args.ttl },
    spelling: { ttlSeconds: 'ttl' },
    body: (output, timestamp) => {
      const { key, namespace, bytes, id } = memoryStoreOutput.parse(output);
      return { success: true, action: 'store', key, namespace, stored: true, size: bytes, id, ...STORAGE, timestamp };
    },
  };
};

const retrieve = (args: UsageArgs): LegacyCall => {
  const name = { key: keyOf(args), namespace: args.namespace };
  const body = (value: unknown, found: boolean, timestamp: string) => ({
    success: true,
    action: 'retrieve',
    key: name.key,
    value,
    found,
    namespace: name.namespace,
    ...STORAGE,
    timestamp,
  });
  return {
    tool: 'memory_get',
    input: name,
    body: (output, timestamp) => body(memoryGetOutput.parse(output).value, true, timestamp),
    // In 2.7 looking for what is not there is no failure.
    recover: ({ code }, timestamp) => (code === 'not_found' ? body(null, false, timestamp) : undefined),
  };
};

/** A pattern without wildcards is a whole key; an empty one, which callers fill in, is none. */
const list = ({ namespace, pattern, limit = 100, offset }: UsageArgs): LegacyCall => ({
  tool: 'memory_list',
  input: { namespace, keys: pattern === '' ? undefined : pattern, limit, offset, values: true },
  spelling: { keys: 'pattern' },
  body: (output, timestamp) => {
    const { entries, total } = memoryListOutput.parse(output);
    const shown = entries.map(({ preview: _preview, bytes, ...entry }) => ({ ...entry, size: bytes }));
    return { success: true, action: 'list', namespace, entries: shown, count: shown.length, ...STORAGE, timestamp, total };
  },
});

const remove = (args: UsageArgs): LegacyCall => ({
  tool: 'memory_delete',
  input: { key: keyOf(args), namespace: args.namespace },
  body: (output, timestamp) => {
    const { key, namespace, deleted } = memoryDeleteOutput.parse(output);
    return { success: true, action: 'delete', key, namespace, deleted, ...STORAGE, timestamp };
  },
});

/**
 * What 2.7's callers read of a result, with what is known of its origin. Why it matched names other keys, which callers
 * that look for keys in the text would take for results: it is told when `explain` is asked for.
 */
function shownResult({
  namespace,
  key,
  score,
  snippet,
  value,
  tags,
  kind,
  agent,
  session,
  run,
  updatedAt,
  matched,
  explanation,
}: z.output<typeof memorySearchOutput>['results'][number]): Readonly<Record<string, unknown>> {
  return {
    namespace,
    key,
    score,
    snippet,
    ...(value === undefined ? {} : { value }),
    tags,
    kind,
    ...(agent === null ? {} : { agent }),
    ...(session === null ? {} : { session }),
    ...(run === null ? {} : { run }),
    updatedAt,
    ...(explanation === undefined ? {} : { matched, explanation }),
  };
}

const search = (args: UsageArgs): LegacyCall => {
  const { namespace, limit = 50, offset } = args;
  // 2.7 looks for `value`; `pattern` and `query` are what memory_search calls the same.
  const spelled = args.pattern !== undefined ? 'pattern' : args.query !== undefined ? 'query' : 'value';
  const pattern = args[spelled];
  if (typeof pattern !== 'string' || pattern.trim() === '')
    throw refused(args, 'pattern', 'text to look for, not blank', pattern);
  const input = { query: pattern, namespace, limit, offset, values: true };
  return {
    tool: 'memory_search',
    input,
    ask: isPattern(pattern) ? askForPattern(pattern, input) : undefined,
    spelling: { query: spelled, keys: spelled },
    body: (output, timestamp) => {
      const { query, results, total, totalIsExact } = memorySearchOutput.parse(output);
      return {
        success: true,
        action: 'search',
        pattern: query,
        namespace,
        results: results.map(shownResult),
        count: results.length,
        ...STORAGE,
        timestamp,
        total,
        ...(totalIsExact ? {} : { totalIsExact }),
      };
    },
  };
};

const ACTIONS = { store, retrieve, list, delete: remove, search } as const;

const memoryUsage = defineLegacy({
  name: 'memory_usage',
  family: FAMILY,
  description: 'claude-flow: memory',
  listed: true,
  tools: ['memory_store', 'memory_get', 'memory_list', 'memory_delete', 'memory_search'],
  args: usageArgs,
  plan: (args) => ACTIONS[args.action](args),
});

/** Arguments that looking for keys and looking for words share. */
const OF_BOTH = new Set(['pattern', 'namespace', 'kind', 'limit', 'offset', 'values']);

/** How to look for a pattern of keys; `undefined` for a search by words alone. */
function patternOf(args: Readonly<Record<string, unknown>>): LegacyCall['ask'] {
  const { pattern, ...rest } = args;
  if (typeof pattern !== 'string' || !isPattern(pattern)) return undefined;
  return Object.keys(args).every((name) => OF_BOTH.has(name)) ? askForPattern(pattern, { query: pattern, ...rest }) : undefined;
}

const memorySearch = defineLegacy({
  name: 'memory_search',
  family: FAMILY,
  description: 'claude-flow: search memory.',
  tools: ['memory_search', 'memory_list'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'memory_search',
    input: sameArgument(args, 'query', 'pattern'),
    ask: patternOf(args),
    spelling: args['pattern'] === undefined ? {} : { query: 'pattern', keys: 'pattern' },
    isTerse: args['maxTokens'] !== undefined,
    body: (output, timestamp) => {
      const { query, namespace, results, total, totalIsExact, cursor, shortened, vectors } = memorySearchOutput.parse(output);
      return {
        success: true,
        pattern: query,
        namespace,
        results: results.map(shownResult),
        count: results.length,
        timestamp,
        total,
        ...(totalIsExact ? {} : { totalIsExact }),
        ...(cursor === null ? {} : { cursor }),
        ...(shortened ? { shortened } : {}),
        ...(vectors === 'off' ? {} : { vectors }),
        tool: 'memory_search',
        message: `${results.length} of ${counted(total, totalIsExact)} found`,
        // 2.7 knows no `maxTokens`, which bounds the text too: room for what was found, not for what was asked.
        ...(args['maxTokens'] === undefined ? { args } : {}),
      };
    },
  }),
});

/** Memory names of claude-flow 2.7. */
export const CLAUDE_FLOW_2_MEMORY: readonly LegacyRow[] = [memoryUsage, memorySearch];
