import * as z from 'zod';
import type { Explanation } from '../memory/search/answer.ts';
import { printable } from '../printable.ts';
import { checkValuesFit, entryHead, json, shownHead, shownKey, source } from './entry-output.ts';
import { limit, offset, rare } from './input.ts';
import { READS, anyNamespace, time, timeOrAny, values } from './memory-input.ts';
import { behind } from './replica-age.ts';
import { counted, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { TextStyle } from './tool.ts';

/** How a score came about; what contributed nothing is absent. See `Explanation` of the search. */
const explanation = z.object({
  words: z.number().exactOptional(),
  neighbours: z.number().exactOptional(),
  feedback: z.number().exactOptional(),
  vector: z.number().exactOptional(),
  links: z.number().exactOptional(),
});

export const memorySearchOutput = z.object({
  query: z.string(),
  /** `null`: all were searched. */
  namespace: z.string().nullable(),
  results: z.array(
    entryHead.extend({
      /** 0 to 1, higher is better, within one answer only. */
      score: z.number(),
      snippet: z.string(),
      /** Why it is here, a few words each. */
      matched: z.array(z.string()),
      value: json.exactOptional(),
      explanation: explanation.exactOptional(),
    }),
  ),
  total: z.number(),
  /** Whether `total` is all; else there are more. */
  totalIsExact: z.boolean(),
  /** `null`: the answer goes on from a cursor. */
  offset: z.number().nullable(),
  /** Gets the next results when it is given as `cursor`; `null` at the end. */
  cursor: z.string().nullable(),
  /** Whether `maxTokens` left out values or results. */
  shortened: z.boolean(),
  matchedBy: z.enum(['words', 'substring', 'vectors']),
  /**
   * What vectors did, or why they could not help. After a semicolon what else is not as it should be: entries that could
   * not be searched, a replica that could not ask its server.
   */
  vectors: z.string(),
});
type Found = z.output<typeof memorySearchOutput>;

const input = z.strictObject({
  query: z.string().describe('plain language'),
  namespace: anyNamespace,
  namespaces: rare(z.array(z.string()).optional(), 'in any of these'),
  kind: z.string().optional().describe('e.g. decision'),
  tags: z.array(z.string()).optional().describe('with all of these'),
  keys: rare(z.string().optional(), 'keys like this: auth*'),
  phrase: rare(z.string().optional(), 'words in exactly this order; the query may then be empty'),
  agent: rare(z.string().optional(), 'written by this agent'),
  session: rare(z.string().optional(), 'of this conversation'),
  since: rare(time.optional(), 'written at this time (ISO 8601) or later'),
  until: rare(time.optional(), 'written before this time (ISO 8601)'),
  validAt: rare(timeOrAny.optional(), 'what held at this time (ISO 8601); default now; any: whatever ever held'),
  minScore: rare(z.number().optional(), 'leave out results below this, 0 to 1'),
  values,
  maxTokens: z.int().optional().describe('bound of the whole answer, at least 100; adds values'),
  limit: limit(10, 100),
  offset,
  cursor: rare(z.string().optional(), 'cursor of the answer before, instead of offset'),
  explain: rare(z.boolean().default(false), 'say how each score came about'),
});

function namespacesOf({ namespace, namespaces }: z.output<typeof input>): readonly string[] | undefined {
  if (namespace === undefined) return namespaces;
  return [...new Set([namespace, ...(namespaces ?? [])])];
}

function explained(parts: Explanation | undefined): string {
  return Object.entries(parts ?? {})
    .map(([name, value]) => `${name} ${Number(value).toFixed(2)}`)
    .join(' + ');
}

function resultsTable(results: Found['results'], style: TextStyle): string {
  const withWhy = results.some((found) => found.explanation !== undefined);
  const rows = results.map((found) => [
    found.score.toFixed(2),
    found.namespace,
    shownKey(found.key, style),
    ...(withWhy ? [source(found), explained(found.explanation), found.matched.join(', ')] : []),
    found.snippet,
  ]);
  return table(['score', 'namespace', 'key', ...(withWhy ? ['from', 'score is', 'because'] : []), 'match'], rows, style);
}

const memorySearch = defineTool({
  name: 'memory_search',
  description: 'Finds entries by what they say, best first. More filters: skill shared-memory.',
  input,
  output: memorySearchOutput,
  annotations: READS,
  cli: { command: ['memory', 'search'], positional: ['query'] },
  handler: async (asked, { app }) => {
    const { values: whole, namespace, namespaces: _names, ...rest } = asked;
    const answer = await (await app.memory('read')).search({ ...rest, namespaces: namespacesOf(asked) });
    const lag = await behind(app);
    const withValues = whole || rest.maxTokens !== undefined;
    if (withValues && rest.maxTokens === undefined) checkValuesFit(answer.results);
    return {
      query: asked.query,
      namespace: namespace ?? null,
      results: answer.results.map((found) => ({
        ...shownHead(found),
        score: found.score,
        snippet: found.snippet,
        matched: [...found.matched],
        ...(withValues && found.value !== undefined ? { value: found.value } : {}),
        ...(found.explanation === undefined ? {} : { explanation: found.explanation }),
      })),
      total: answer.total,
      totalIsExact: answer.totalIsExact,
      offset: asked.cursor === undefined ? asked.offset : null,
      cursor: answer.cursor,
      shortened: answer.shortened,
      matchedBy: answer.matchedBy,
      vectors: [answer.vectors, ...(lag === undefined ? [] : [lag])].join('; '),
    };
  },
  text: ({ results, total, totalIsExact, offset: skipped, vectors, cursor, shortened }, style) => {
    const notes = [
      vectors.startsWith('unavailable') || vectors.includes('; ') || results.some((found) => found.explanation !== undefined)
        ? `\nvectors: ${printable(vectors)}`
        : '',
      (shortened || skipped === null) && cursor !== null
        ? `\n${shortened ? 'shortened; ' : ''}more with --cursor ${printable(cursor)}`
        : '',
    ].join('');
    if (results.length === 0)
      return (total === 0 ? 'Nothing found.' : `Nothing more; ${counted(total, totalIsExact)} in all.`) + notes;
    const more = shortened || skipped === null ? '' : moreLine(results.length, total, skipped, totalIsExact);
    return resultsTable(results, style) + more + notes;
  },
});

export const searchTools = [memorySearch] as const;
