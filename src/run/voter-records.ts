import { roleNameOf } from '../agent/roles/aliases.ts';
import type { Database, Queries } from '../store/database.ts';
import { numberColumns, numberOf, textColumns, textOf } from '../store/row.ts';
import type { FoldedRun } from './fold.ts';
import { gatherFindings } from './settle-findings.ts';

/** How often the voters of a role were with the outcome. */
interface Counted {
  readonly votes: number;
  readonly correct: number;
}

/** What is known of how well roles vote, by their names; votes that callers hold add to the same records. */
export interface VoterRecords {
  read(): Promise<ReadonlyMap<string, Counted>>;
  /**
   * Adds what a run showed: a ballot counts as right when the others alone would have decided the same way. Their
   * outcome is the only measure there is while nobody says what was true; one's own ballot must not confirm itself.
   */
  learn(queries: Queries, agents: readonly { readonly id: string; readonly type: string }[], state: FoldedRun): Promise<void>;
}

function countVotes(
  agents: readonly { readonly id: string; readonly type: string }[],
  state: FoldedRun,
): ReadonlyMap<string, { votes: number; correct: number }> {
  const roles = new Map(agents.map(({ id, type }) => [id, roleNameOf(type)]));
  const { ballots } = gatherFindings(state);
  const counted = new Map<string, { votes: number; correct: number }>();
  for (const { subject } of state.decisions) {
    const cast = ballots.filter((ballot) => ballot.subject === subject && ballot.vote !== 'abstain');
    for (const { voter, vote } of cast) {
      const others = cast.filter((ballot) => ballot.voter !== voter);
      const confirms = others.filter((ballot) => ballot.vote === 'confirm').length;
      const rejects = others.length - confirms;
      const role = roles.get(voter);
      if (role === undefined || confirms === rejects) continue;
      const record = counted.get(role) ?? { votes: 0, correct: 0 };
      record.votes += 1;
      if (confirms > rejects === (vote === 'confirm')) record.correct += 1;
      counted.set(role, record);
    }
  }
  return counted;
}

/** The records of a project's database. */
export function createVoterRecords(db: Pick<Database, 'all'>): VoterRecords {
  return {
    read: async () => {
      const rows = await db.all(`SELECT ${textColumns(['voter'])}, ${numberColumns(['votes', 'correct'])} FROM voter_record`);
      return new Map(
        rows.map((row) => [textOf(row, 'voter'), { votes: numberOf(row, 'votes'), correct: numberOf(row, 'correct') }]),
      );
    },
    learn: async (queries, agents, state) => {
      for (const [role, { votes, correct }] of countVotes(agents, state)) {
        await queries.run(
          `INSERT INTO voter_record(voter, votes, correct) VALUES (?, ?, ?)
           ON CONFLICT (voter) DO UPDATE SET votes = votes + excluded.votes, correct = correct + excluded.correct`,
          [role, votes, correct],
        );
      }
    },
  };
}
