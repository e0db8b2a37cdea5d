import type { Queries } from '../store/database.ts';
import type { Outcome } from './group-commit.ts';
import type { Addressed } from './letter.ts';
import { deleteMessages, insertDeliveries, insertMessages, type Delivery } from './mail-rows.ts';
import type { Rooms } from './room.ts';

export interface Sent {
  /** From 1; later messages have higher ones. */
  readonly messageId: number;
  /** Ids of agents, each once. */
  readonly recipients: readonly string[];
}

/**
 * Stores what several calls send: of each call all letters, or none when a recipient has no room.
 * @param now milliseconds since the epoch
 * @returns an outcome for each call
 */
export async function storeLetters(
  queries: Queries,
  calls: readonly (readonly Addressed[])[],
  { rooms, now }: { readonly rooms: Rooms; readonly now: number },
): Promise<readonly Outcome<readonly Sent[]>[]> {
  const ids = await insertMessages(queries, calls.flat(), now);
  const takeRoom = rooms(queries, (ids[0] ?? 1) - 1);
  const outcomes: Outcome<readonly Sent[]>[] = [];
  const deliveries: Delivery[] = [];
  const refused: number[] = [];
  let at = 0;
  for (const letters of calls) {
    const own = ids.slice(at, (at += letters.length));
    const error = await takeRoom(letters);
    if (error !== undefined) {
      refused.push(...own);
      outcomes.push({ error });
      continue;
    }
    const sent: Sent[] = [];
    for (const [n, { place, recipients }] of letters.entries()) {
      const messageId = own[n] ?? NaN;
      sent.push({ messageId, recipients });
      for (const agent of recipients) deliveries.push({ place, agent, messageId });
    }
    outcomes.push({ value: sent });
  }
  if (refused.length > 0) await deleteMessages(queries, refused);
  await insertDeliveries(queries, deliveries);
  return outcomes;
}
