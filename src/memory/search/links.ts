import type { Queries } from '../../store/database.ts';
import { numberOf, numberOnly } from '../../store/row.ts';
import type { SearchScope } from './filter.ts';
import { addGains, type Gain } from './gains.ts';
import type { Reader } from './passages.ts';
import { total, type Ranked } from './ranking.ts';

/** Results whose links are followed. */
const FOLLOWED = 5;
/** Links followed of each. */
const LINKS_OF_EACH = 10;
/** The share of a result's score that an entry gains that is linked with it. */
const LINK_WEIGHT = 0.3;

/**
 * Adds what is linked, in either direction, with the best results: the second step of questions whose answer lies in
 * another entry than their words.
 */
export async function followLinks(
  queries: Queries,
  ranked: readonly Ranked[],
  reader: Reader,
  scope: SearchScope,
): Promise<readonly Ranked[]> {
  const best = new Map(ranked.slice(0, FOLLOWED).map((one) => [one.passage.id, one]));
  if (best.size === 0) return ranked;
  const rows = await queries.all(
    `WITH source AS (SELECT value AS id FROM json_each(?))
    SELECT source.id AS source, ${numberOnly('link.to_id')} AS other FROM source JOIN memory_link link ON link.from_id = source.id
    UNION SELECT source.id, ${numberOnly('link.from_id')} FROM source JOIN memory_link link ON link.to_id = source.id`,
    [JSON.stringify([...best.keys()])],
  );
  const gains = new Map<number, Gain>();
  const followed = new Map<number, number>();
  for (const row of rows) {
    const source = best.get(numberOf(row, 'source'));
    const other = numberOf(row, 'other');
    if (source === undefined) continue;
    const count = (followed.get(source.passage.id) ?? 0) + 1;
    followed.set(source.passage.id, count);
    const gain = LINK_WEIGHT * total(source);
    if (count <= LINKS_OF_EACH && gain > (gains.get(other)?.gain ?? 0)) gains.set(other, { gain, source, by: 'link' });
  }
  if (gains.size === 0) return ranked;
  const known = new Set(ranked.map((one) => one.passage.id));
  const passages = await reader.read(
    queries,
    [...gains.keys()].filter((id) => !known.has(id)),
    scope,
  );
  return addGains(ranked, gains, passages);
}
