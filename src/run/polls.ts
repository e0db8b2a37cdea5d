import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Queries } from '../store/database.ts';
import { numberOf, textColumns, textOf } from '../store/row.ts';
import type { OptionRule } from '../swarm/consensus/count-options.ts';
import { registeredAgents } from './agents.ts';
import { asClosed, closeDuePolls, closePoll } from './close-poll.ts';
import { findActiveSwarm, newestActive } from './find-swarm.ts';
import { POLL, ballotsOf, findPoll, rolesOf, toPoll } from './poll-records.ts';
import type { PollBallot, PollRecord, PollResult } from './poll-records.ts';

export interface NewPoll {
  readonly question: string;
  /** At least two, all different. */
  readonly options: readonly string[];
  readonly rule: OptionRule;
  readonly quorum?: number | undefined;
  /** Rule `judge` only: one of the voters. */
  readonly judge?: string | undefined;
  /** Default: the agents of the run, or the registered ones of the swarm. */
  readonly voters?: readonly string[] | undefined;
  /** Default: the newest active swarm, or none where voters are given. */
  readonly swarmId?: string | undefined;
  /** Holds it within a run instead of a swarm. */
  readonly runId?: string | undefined;
  /** Milliseconds until no ballot is taken any more; default: until all have voted or it is closed. */
  readonly closesInMs?: number | undefined;
}

export interface CastBallot {
  readonly pollId: string;
  readonly voter: string;
  /** One option; all rules but `ranked`. */
  readonly choice?: string | undefined;
  /** Options, best first; rule `ranked`. */
  readonly ranking?: readonly string[] | undefined;
  /** Counts neither for an option nor towards a quorum; instead of a choice or a ranking. */
  readonly abstain?: boolean | undefined;
  readonly reason: string;
}

/** A vote as anyone may see it. */
export interface PollView extends PollRecord {
  /** How many have voted. */
  readonly voted: number;
  /** In the order they were cast; `null` while the vote is open: ballots are secret until then. */
  readonly ballots: readonly PollBallot[] | null;
}

export interface PollPage {
  readonly polls: readonly PollRecord[];
  readonly total: number;
}

/** Votes among options, recorded; every process sees the same. All throw `NotFoundError` for an unknown vote. */
export interface Polls {
  /**
   * Throws `InvalidInputError` for options, voters, a quorum or a judge that cannot be, `NotFoundError` for an unknown or
   * destroyed swarm; nothing is written then.
   */
  open(poll: NewPoll): Promise<PollView>;
  /**
   * Takes one ballot; the last eligible voter's closes the vote. Throws `ConflictError` when the vote is closed or its
   * time is over or the voter has voted, `InvalidInputError` for a voter who may not vote and for what is no option;
   * nothing is changed then.
   */
  cast(ballot: CastBallot): Promise<PollView>;
  /** A vote whose time is over is decided now, if nobody has come since. */
  status(pollId: string): Promise<PollView>;
  /** Ends a vote now. A closed one stays as it was decided. */
  close(pollId: string): Promise<PollView>;
  /**
   * Says which option turned out right, which the records of the voters' roles then count: they weigh in weighted
   * votes. Throws `ConflictError` while the vote is open, or when it was said before, `InvalidInputError` for no option.
   */
  settle(pollId: string, right: string): Promise<PollView>;
  /** The newest first, of one swarm or run, or all; how they stand as far as that is written down. */
  list(options: { readonly place?: string | undefined; readonly limit: number }): Promise<PollPage>;
  /** Decides the votes of a swarm or run whose time is over; resolves with their ids. */
  closeDue(place: string): Promise<readonly string[]>;
}

function invalid(parameter: string, message: string): InvalidInputError {
  return new InvalidInputError(`${parameter}: ${message}`, {
    hint: 'Correct the named parameter; nothing was changed.',
    details: { parameter },
  });
}

const shown = (options: readonly string[]): string =>
  options
    .slice(0, 8)
    .map((option) => JSON.stringify(option.length > 80 ? `${option.slice(0, 80)}…` : option))
    .join(', ') + (options.length > 8 ? ', …' : '');

/** Agents on record must be members; other names are whatever the caller calls its voters. */
async function checkVoters(queries: Queries, voters: readonly string[]): Promise<void> {
  const ids = voters.filter((voter) => voter.startsWith('agent_'));
  if (ids.length === 0) return;
  const rows = await queries.all(
    `SELECT ${textColumns(['id'])} FROM agent WHERE status = 'registered' AND id IN (SELECT value FROM json_each(?))`,
    [JSON.stringify(ids)],
  );
  const known = new Set(rows.map((row) => textOf(row, 'id')));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length === 0) return;
  throw new NotFoundError(`voters: there is no registered agent ${shown(unknown)}`, {
    hint: 'Give ids that agent_list shows as registered; nothing was changed.',
    details: { parameter: 'voters' },
  });
}

interface Electorate {
  readonly eligible: readonly string[];
  readonly place: string | null;
}

/** Agents of a run's steps. */
async function runElectorate(queries: Queries, runId: string, voters: readonly string[] | undefined): Promise<Electorate> {
  const run = await queries.get(`SELECT ${textColumns(['id'])} FROM run WHERE id = ?`, [runId]);
  if (run === undefined) {
    throw new NotFoundError(`there is no run ${JSON.stringify(runId)}`, { hint: 'List the runs with run_list.' });
  }
  const sql = `SELECT DISTINCT ${textColumns(['agent_id'])} FROM step WHERE run_id = ? ORDER BY step.agent_id`;
  const agents = (await queries.all(sql, [runId])).map((row) => textOf(row, 'agent_id'));
  const unknown = voters?.filter((voter) => !agents.includes(voter)) ?? [];
  if (unknown.length > 0) throw invalid('voters', `the run has no agent ${shown(unknown)}; it has ${shown(agents)}`);
  if (agents.length === 0) throw invalid('runId', `the run ${runId} has no agents to vote`);
  return { eligible: voters ?? agents, place: runId };
}

/** Who may vote, and where. */
async function electorate(queries: Queries, { voters, swarmId, runId }: NewPoll): Promise<Electorate> {
  const again = voters?.find((voter, at) => voters.indexOf(voter) < at);
  if (again !== undefined) throw invalid('voters', `${shown([again])} stands in it twice; each voter has one ballot`);
  if (runId !== undefined) {
    if (swarmId === undefined) return runElectorate(queries, runId, voters);
    throw invalid('runId', 'a vote is held in a run or in a swarm, not in both');
  }
  const swarm = swarmId === undefined ? await newestActive(queries) : await findActiveSwarm(queries, swarmId);
  if (voters !== undefined) {
    await checkVoters(queries, voters);
    return { eligible: voters, place: swarm?.swarmId ?? null };
  }
  const agents = swarm === undefined ? [] : await registeredAgents(queries, swarm.swarmId);
  if (swarm === undefined || agents.length === 0)
    throw invalid('voters', 'there are no agents in a swarm to vote; name the voters');
  return { eligible: agents.map(({ agentId }) => agentId), place: swarm.swarmId };
}

function checkRule({ rule, options, quorum, judge }: NewPoll, eligible: readonly string[]): void {
  if (options.length < 2 || new Set(options).size < options.length)
    throw invalid('options', 'expected at least two, all different');
  if (quorum !== undefined && quorum > eligible.length) {
    throw invalid('quorum', `is ${quorum}, and only ${eligible.length} may vote`);
  }
  if (rule === 'quorum' && quorum === undefined)
    throw invalid('quorum', 'is missing; the rule quorum needs how many ballots an option has to get');
  if (rule === 'judge' && judge === undefined) throw invalid('judge', 'is missing; the rule judge needs the voter who decides');
  if (rule !== 'judge' && judge !== undefined) throw invalid('judge', `has no meaning under the rule ${rule}`);
  if (judge !== undefined && !eligible.includes(judge)) throw invalid('judge', `${JSON.stringify(judge)} is none of the voters`);
}

/** The options of a ballot, best first. */
function choicesOf({ rule, options }: PollRecord, { choice, ranking, abstain = false }: CastBallot): readonly string[] {
  const parameter = rule === 'ranked' ? 'ranking' : 'choice';
  const given = [...(choice === undefined ? [] : ['choice']), ...(ranking === undefined ? [] : ['ranking'])];
  if (abstain && given.length === 0) return [];
  const choices = rule === 'ranked' ? ranking : choice === undefined ? undefined : [choice];
  if (abstain || choices === undefined || choices.length === 0 || given.length > 1) {
    const wanted = rule === 'ranked' ? 'a ranking of options, best first' : 'one choice';
    throw invalid(parameter, `the rule ${rule} takes ${wanted}, or abstain: true, and nothing else`);
  }
  const unknown = choices.filter((option) => !options.includes(option));
  if (unknown.length > 0) throw invalid(parameter, `${shown(unknown)} is no option of this vote; those are ${shown(options)}`);
  if (new Set(choices).size < choices.length) throw invalid(parameter, 'an option stands in it twice');
  return choices;
}

const isDue = ({ status, closesAt }: PollRecord, now: number): boolean =>
  status === 'open' && closesAt !== null && now >= closesAt;

function checkOpen(poll: PollRecord, now: number): void {
  if (poll.status === 'open' && !isDue(poll, now)) return;
  throw new ConflictError(`the vote ${poll.pollId} is closed`, {
    hint: 'The ballot was not taken. See its result with decision_status.',
  });
}

/** A vote, decided when its time is over. Within a transaction. */
async function closedWhenDue(queries: Queries, poll: PollRecord, now: number): Promise<PollRecord> {
  return isDue(poll, now) ? closePoll(queries, poll, now) : poll;
}

/** The votes of one project's database. */
export function createPolls({ db, runtime }: { readonly db: Database; readonly runtime: Runtime }): Polls {
  const countBallots = async (queries: Queries, pollId: string): Promise<number> =>
    numberOf((await queries.get('SELECT count(*) AS n FROM poll_ballot WHERE poll_id = ?', [pollId])) ?? {}, 'n');

  const view = async (queries: Queries, poll: PollRecord): Promise<PollView> => ({
    ...poll,
    voted: await countBallots(queries, poll.pollId),
    ballots: poll.status === 'open' ? null : await ballotsOf(queries, poll.pollId),
  });

  const open = async (queries: Queries, poll: NewPoll): Promise<PollView> => {
    const { question, options, rule, quorum = null, judge = null, closesInMs } = poll;
    const { eligible, place } = await electorate(queries, poll);
    checkRule(poll, eligible);
    const pollId = runtime.id('poll');
    const now = runtime.now();
    const ruleJson = JSON.stringify({ name: rule, quorum, judge });
    await queries.run(
      `INSERT INTO poll(id, place, question, options, rule, eligible, status, created_at, closes_at)
       VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?)`,
      [
        pollId,
        place,
        question,
        JSON.stringify(options),
        ruleJson,
        JSON.stringify(eligible),
        now,
        closesInMs === undefined ? null : now + closesInMs,
      ],
    );
    return view(queries, await findPoll(queries, pollId));
  };

  const cast = async (queries: Queries, ballot: CastBallot): Promise<PollView> => {
    const { pollId, voter, reason } = ballot;
    const now = runtime.now();
    const poll = await findPoll(queries, pollId);
    checkOpen(poll, now);
    if (!poll.eligible.includes(voter)) throw invalid('voter', `${JSON.stringify(voter)} may not vote in ${pollId}`);
    const choices = choicesOf(poll, ballot);
    const { changes } = await queries.run(
      'INSERT INTO poll_ballot(poll_id, voter, ballot, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      [pollId, voter, JSON.stringify({ choices, reason }), now],
    );
    if (changes === 0) {
      throw new ConflictError(`${voter} has voted in ${pollId} already`, {
        hint: 'A ballot cannot be changed; the first one counts.',
      });
    }
    const isLast = (await countBallots(queries, pollId)) === poll.eligible.length;
    return view(queries, isLast ? await closePoll(queries, poll, now) : poll);
  };

  const settle = async (queries: Queries, pollId: string, right: string): Promise<PollView> => {
    const poll = await closedWhenDue(queries, await findPoll(queries, pollId), runtime.now());
    const { result } = poll;
    if (result === null) throw new ConflictError(`the vote ${pollId} is open`, { hint: 'Close it first, with vote_close.' });
    if (result.right !== null) {
      throw new ConflictError(`of the vote ${pollId} it was said before what was right: ${shown([result.right])}`, {
        hint: 'It is counted once; nothing was changed.',
      });
    }
    if (!poll.options.includes(right))
      throw invalid('right', `${shown([right])} is no option of this vote; those are ${shown(poll.options)}`);
    const settled: PollResult = { ...result, right };
    await queries.run('UPDATE poll SET result = ? WHERE id = ?', [JSON.stringify(settled), pollId]);
    const ballots = await ballotsOf(queries, pollId);
    const roles = await rolesOf(
      queries,
      ballots.map(({ voter }) => voter),
    );
    for (const { voter, choices } of ballots.filter((ballot) => ballot.choices.length > 0)) {
      await queries.run(
        `INSERT INTO voter_record(voter, votes, correct) VALUES (?, 1, ?)
         ON CONFLICT (voter) DO UPDATE SET votes = votes + 1, correct = correct + excluded.correct`,
        [roles.get(voter) ?? voter, choices[0] === right ? 1 : 0],
      );
    }
    return view(queries, { ...poll, result: settled });
  };

  return {
    open: (poll) => db.write((queries) => open(queries, poll)),
    cast: (ballot) => db.write((queries) => cast(queries, ballot)),
    status: async (pollId) => {
      const now = runtime.now();
      const poll = await findPoll(db, pollId);
      if (!isDue(poll, now)) return view(db, poll);
      // Nothing is cast after its time: what is not stored yet can be counted by anyone, with the same result.
      if (db.readOnly) return view(db, await asClosed(db, poll, now));
      return db.write(async (queries) => view(queries, await closedWhenDue(queries, await findPoll(queries, pollId), now)));
    },
    close: (pollId) =>
      db.write(async (queries) => {
        const poll = await findPoll(queries, pollId);
        return view(queries, poll.status === 'closed' ? poll : await closePoll(queries, poll, runtime.now()));
      }),
    settle: (pollId, right) => db.write((queries) => settle(queries, pollId, right)),
    list: async ({ place, limit }) => {
      const where = 'WHERE ?1 IS NULL OR place = ?1';
      const rows = await db.all(`${POLL} ${where} ORDER BY poll.created_at DESC, rowid DESC LIMIT ?2`, [place ?? null, limit]);
      const total = numberOf((await db.get(`SELECT count(*) AS n FROM poll ${where}`, [place ?? null])) ?? {}, 'n');
      return { polls: rows.map(toPoll), total };
    },
    closeDue: (place) => db.write((queries) => closeDuePolls(queries, place, runtime.now())),
  };
}
