import { InvalidInputError } from '../../errors.ts';
import { instantRunoff } from './instant-runoff.ts';
import type { RunoffRound } from './instant-runoff.ts';
import { faultBound, noteOnWeights, requireLimits, weigh, WEIGHT_EPSILON } from './sides.ts';

/** How a vote among options is counted. */
export const OPTION_RULES = ['majority', 'quorum', 'weighted', 'unanimous', 'byzantine', 'ranked', 'judge'] as const;
export type OptionRule = (typeof OPTION_RULES)[number];

/** A vote of one voter among options. */
export interface OptionBallot {
  readonly voter: string;
  /** The option it is for; of a ranked vote several, best first; empty: an abstention. */
  readonly choices: readonly string[];
  /** When it was cast, in milliseconds since the epoch. */
  readonly at?: number;
}

export interface OptionPoll {
  readonly rule: OptionRule;
  /** At least one, none twice. */
  readonly options: readonly string[];
  /** Ids of those who may vote; one listed twice has one vote. */
  readonly eligible: readonly string[];
  /** In the order they were cast. */
  readonly ballots: readonly OptionBallot[];
  /** Ballots that must not abstain; of the rule `quorum`, ballots for one option. Whole, ≥ 1; default 1. */
  readonly quorum?: number;
  /** Ballots after this time are late; milliseconds since the epoch. Default `null`: none is. */
  readonly closesAt?: number | null;
  /** `weighted`: by voter, ≥ 0 (see `weightsOf`); who is not in it weighs as an unmeasured voter. */
  readonly weights?: ReadonlyMap<string, number>;
  /** `judge`: the ids of those whose ballots decide. */
  readonly judges?: readonly string[];
  /** `byzantine`: how many faulty voters to bear; default: as many as the number of voters allows. */
  readonly faults?: number;
}

/** A ballot that was not counted, and why. It does not use up its voter's vote. */
export interface RefusedOptionBallot {
  readonly ballot: OptionBallot;
  readonly reason: 'not_eligible' | 'late' | 'unknown_option' | 'repeated_option' | 'too_many_choices' | 'duplicate';
}

export interface OptionResult {
  readonly outcome: 'decided' | 'tie' | 'no_quorum';
  /** `null` unless decided. */
  readonly winner: string | null;
  /** Ballots for each option (first places of a ranked vote), weights where the rule weighs; in the order of the options. */
  readonly counts: readonly { readonly option: string; readonly count: number }[];
  readonly abstains: number;
  /** Of a ranked vote. */
  readonly rounds?: readonly RunoffRound[];
  readonly refused: readonly RefusedOptionBallot[];
  /** What a reader should know of how it came about. */
  readonly note?: string;
}

type Verdict = Pick<OptionResult, 'outcome' | 'winner' | 'rounds' | 'note'>;
/** Who voted for each option. */
type Sides = ReadonlyMap<string, readonly string[]>;

function requireOptions(options: readonly string[]): void {
  if (options.length === 0)
    throw new InvalidInputError('a vote needs at least one option, got none', { hint: 'Name the options.' });
  const twice = options.find((option, i) => options.indexOf(option) !== i);
  if (twice === undefined) return;
  throw new InvalidInputError(`the option "${twice}" is there twice`, { hint: 'Name each option once.' });
}

function whyRefused(poll: OptionPoll, ballot: OptionBallot, voted: ReadonlySet<string>): RefusedOptionBallot['reason'] | null {
  const { voter, choices, at } = ballot;
  if (!poll.eligible.includes(voter)) return 'not_eligible';
  if (at !== undefined && typeof poll.closesAt === 'number' && at > poll.closesAt) return 'late';
  if (choices.some((choice) => !poll.options.includes(choice))) return 'unknown_option';
  if (new Set(choices).size < choices.length) return 'repeated_option';
  if (choices.length > 1 && poll.rule !== 'ranked') return 'too_many_choices';
  return voted.has(voter) ? 'duplicate' : null;
}

/** Sorts out the ballots that count: the first good one of each voter. */
function admit(poll: OptionPoll): { readonly admitted: OptionBallot[]; readonly refused: RefusedOptionBallot[] } {
  const voted = new Set<string>();
  const admitted: OptionBallot[] = [];
  const refused: RefusedOptionBallot[] = [];
  for (const ballot of poll.ballots) {
    const reason = whyRefused(poll, ballot, voted);
    if (reason !== null) refused.push({ ballot, reason });
    else {
      voted.add(ballot.voter);
      admitted.push(ballot);
    }
  }
  return { admitted, refused };
}

/** The options with the highest of some scores, and that score. */
function leadersOf(scores: ReadonlyMap<string, number>): { readonly leaders: readonly string[]; readonly top: number } {
  const top = Math.max(...scores.values());
  return { top, leaders: [...scores.keys()].filter((option) => top - (scores.get(option) ?? 0) < WEIGHT_EPSILON) };
}

const sizes = (sides: Sides): ReadonlyMap<string, number> =>
  new Map([...sides].map(([option, voters]) => [option, voters.length]));

/** Decided for the only leader, a tie among several. */
function among(leaders: readonly string[], note?: string): Verdict {
  const [winner, ...others] = leaders;
  const said = note === undefined ? {} : { note };
  if (winner === undefined) return { outcome: 'no_quorum', winner: null, ...said };
  return others.length === 0 ? { outcome: 'decided', winner, ...said } : { outcome: 'tie', winner: null, ...said };
}

function reaching(sides: Sides, needed: number, note?: string): Verdict {
  const reached = [...sides].filter(([, voters]) => voters.length >= needed).map(([option]) => option);
  return among(reached, note);
}

function majority(sides: Sides): Verdict {
  const { leaders, top } = leadersOf(sizes(sides));
  const total = [...sides.values()].reduce((sum, voters) => sum + voters.length, 0);
  if (leaders.length > 1 || top * 2 > total) return among(leaders);
  return { outcome: 'no_quorum', winner: null, note: `no option has more than half: "${leaders[0]}" has ${top} of ${total}` };
}

function weighted(sides: Sides, { weights = new Map() }: OptionPoll): Verdict {
  const { leaders } = leadersOf(new Map([...sides].map(([option, voters]) => [option, weigh(voters, weights)])));
  return among(leaders, noteOnWeights([...sides.values()].flat(), weights));
}

function unanimous(sides: Sides): Verdict {
  const chosen = [...sides].filter(([, voters]) => voters.length > 0).map(([option]) => option);
  return chosen.length > 1 ? among(chosen, `not unanimous: ${chosen.length} options have votes`) : among(chosen);
}

function byzantine(sides: Sides, { eligible, faults }: OptionPoll): Verdict {
  const { needed, holds, note } = faultBound(new Set(eligible).size, faults);
  return holds ? reaching(sides, needed, note) : { outcome: 'no_quorum', winner: null, note };
}

function judged(sides: Sides, { judges = [] }: OptionPoll): Verdict {
  const own = new Map([...sides].map(([option, voters]) => [option, voters.filter((voter) => judges.includes(voter))]));
  const spoke = [...own.values()].flat().sort();
  if (spoke.length === 0) return { outcome: 'no_quorum', winner: null, note: 'no judge cast a ballot that counts' };
  return among(leadersOf(sizes(own)).leaders, `decided by ${spoke.join(', ')}`);
}

function ranked({ options }: OptionPoll, admitted: readonly OptionBallot[]): Verdict {
  const rankings = admitted.flatMap(({ choices }) => (choices.length === 0 ? [] : [choices]));
  const { winner, rounds, tied } = instantRunoff(options, rankings);
  if (winner !== null) return { outcome: 'decided', winner, rounds };
  return { outcome: 'tie', winner, rounds, note: `tied for the last place: ${tied.map((option) => `"${option}"`).join(', ')}` };
}

function verdictOf(poll: OptionPoll, sides: Sides, admitted: readonly OptionBallot[]): Verdict {
  const { rule, quorum = 1 } = poll;
  const spoken = admitted.filter(({ choices }) => choices.length > 0).length;
  if (rule === 'judge') return judged(sides, poll);
  if (rule === 'quorum') return reaching(sides, quorum);
  if (spoken < quorum) {
    const note = `${spoken} of the ${quorum} ballots that the quorum asks for`;
    return { outcome: 'no_quorum', winner: null, note };
  }
  if (rule === 'ranked') return ranked(poll, admitted);
  return { majority, weighted, unanimous, byzantine }[rule](sides, poll);
}

/**
 * Counts a vote among options. Each eligible voter has one ballot, the first good one it cast; an abstention is such a
 * ballot and counts for nothing. Refused, with the reason: ballots of others, after `closesAt`, for options that are not
 * there, with an option twice or (unless ranked) several, and second ballots. The order of ballots of different voters
 * changes nothing.
 *
 * All rules but `quorum` and `judge` give `no_quorum` with fewer than `quorum` ballots that do not abstain. Then:
 * - `majority`: the option with more than half of them; `tie` between equal leaders; `no_quorum` where one leads without
 *   having more than half.
 * - `quorum`: the option with at least `quorum` ballots; `tie` if several have, `no_quorum` if none has.
 * - `weighted`: the option with the largest weight, `tie` between equal ones.
 * - `unanimous`: the option that has all of them, else `tie`.
 * - `byzantine`: the option with ⌈(n + f + 1) / 2⌉ of the n eligible voters, if n ≥ 3f + 1, else `no_quorum`.
 * - `ranked`: instant run-off (see `instantRunoff`).
 * - `judge`: the option of the judge, of several judges the one with most of theirs.
 *
 * @throws InvalidInputError no options, one twice, a quorum that is no whole number ≥ 1, faults that are none ≥ 0
 */
export function countVotes(poll: OptionPoll): OptionResult {
  requireOptions(poll.options);
  requireLimits(poll);
  const { admitted, refused } = admit(poll);
  const sides = new Map(
    poll.options.map((option) => [option, admitted.flatMap(({ voter, choices }) => (choices[0] === option ? [voter] : []))]),
  );
  const { weights = new Map<string, number>() } = poll;
  const counts = [...sides].map(([option, voters]) => ({
    option,
    count: poll.rule === 'weighted' ? weigh(voters, weights) : voters.length,
  }));
  const abstains = admitted.filter(({ choices }) => choices.length === 0).length;
  return { ...verdictOf(poll, sides, admitted), counts, abstains, refused };
}
