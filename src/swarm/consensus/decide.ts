import type { Ballot, Decision, DecisionRule, Outcome } from '../../ballot.ts';
import { faultBound, noteOnWeights, requireLimits, weigh, WEIGHT_EPSILON } from './sides.ts';

/** A vote to count. */
export interface Poll {
  readonly rule: DecisionRule;
  /** Whole, ≥ 1; what it asks for depends on the rule. */
  readonly quorum: number;
  readonly subject: string;
  /** Ids of the agents that may vote; one listed twice has one vote. */
  readonly eligible: readonly string[];
  /** In the order they were cast. */
  readonly ballots: readonly Ballot[];
  /** `weighted`: by voter, ≥ 0 (see `weightsOf`); who is not in it weighs as an unmeasured voter. */
  readonly weights?: ReadonlyMap<string, number>;
  /** `judge`: the ids of those whose ballots decide. */
  readonly judges?: readonly string[];
  /** `byzantine`: how many faulty voters to bear; default: as many as the number of voters allows. */
  readonly faults?: number;
}

/** A ballot that was not counted, and why. */
interface RefusedBallot {
  readonly ballot: Ballot;
  readonly reason: 'other_subject' | 'not_eligible' | 'duplicate';
}

export interface PollResult {
  readonly decision: Decision;
  readonly refused: readonly RefusedBallot[];
}

/** Who voted for and against. */
interface Sides {
  readonly confirms: readonly string[];
  readonly rejects: readonly string[];
}

interface Verdict {
  readonly outcome: Outcome;
  readonly note?: string;
}

function admit(poll: Poll): { readonly admitted: readonly Ballot[]; readonly refused: readonly RefusedBallot[] } {
  const eligible = new Set(poll.eligible);
  const voted = new Set<string>();
  const admitted: Ballot[] = [];
  const refused: RefusedBallot[] = [];
  for (const ballot of poll.ballots) {
    if (ballot.subject !== poll.subject) refused.push({ ballot, reason: 'other_subject' });
    else if (!eligible.has(ballot.voter)) refused.push({ ballot, reason: 'not_eligible' });
    else if (voted.has(ballot.voter)) refused.push({ ballot, reason: 'duplicate' });
    else {
      voted.add(ballot.voter);
      admitted.push(ballot);
    }
  }
  return { admitted, refused };
}

function larger(forIt: number, against: number): Outcome {
  if (Math.abs(forIt - against) < WEIGHT_EPSILON) return 'tie';
  return forIt > against ? 'confirmed' : 'rejected';
}

/** Which side has at least `needed` ballots; a tie if both have. */
function reaching({ confirms, rejects }: Sides, needed: number): Outcome {
  const confirmed = confirms.length >= needed;
  const rejected = rejects.length >= needed;
  if (confirmed && rejected) return 'tie';
  if (confirmed) return 'confirmed';
  return rejected ? 'rejected' : 'no_quorum';
}

function majority({ confirms, rejects }: Sides): Verdict {
  return { outcome: larger(confirms.length, rejects.length) };
}

function weighted({ confirms, rejects }: Sides, { weights = new Map() }: Poll): Verdict {
  const [forIt, against] = [weigh(confirms, weights), weigh(rejects, weights)];
  const note = `weight ${forIt.toFixed(2)} for, ${against.toFixed(2)} against; ${noteOnWeights([...confirms, ...rejects], weights)}`;
  return { outcome: larger(forIt, against), note };
}

function unanimous({ confirms, rejects }: Sides): Verdict {
  if (confirms.length > 0 && rejects.length > 0) {
    return { outcome: 'tie', note: `not unanimous: ${confirms.length} for, ${rejects.length} against` };
  }
  return { outcome: larger(confirms.length, rejects.length) };
}

function byzantine(sides: Sides, { eligible, faults }: Poll): Verdict {
  const { needed, holds, note } = faultBound(new Set(eligible).size, faults);
  return { outcome: holds ? reaching(sides, needed) : 'no_quorum', note };
}

function judged({ confirms, rejects }: Sides, { judges = [] }: Poll): Verdict {
  const isJudge = (voter: string): boolean => judges.includes(voter);
  const [forIt, against] = [confirms.filter(isJudge), rejects.filter(isJudge)];
  const spoke = [...forIt, ...against].sort();
  if (spoke.length === 0) return { outcome: 'no_quorum', note: 'no judge cast a ballot that counts' };
  return { outcome: larger(forIt.length, against.length), note: `decided by ${spoke.join(', ')}` };
}

/** The rules that first ask for `quorum` ballots that do not abstain. */
const RULES = { majority, weighted, unanimous, byzantine } as const;

function verdictOf(sides: Sides, poll: Poll): Verdict {
  const { rule, quorum } = poll;
  if (rule === 'quorum') return { outcome: reaching(sides, quorum) };
  if (rule === 'judge') return judged(sides, poll);
  const verdict = RULES[rule](sides, poll);
  const isEnough = sides.confirms.length + sides.rejects.length >= quorum;
  return isEnough ? verdict : { ...verdict, outcome: 'no_quorum' };
}

/**
 * Counts a vote on one subject. Each eligible voter has one ballot, the first it cast; an abstention is such a ballot
 * and counts neither for nor against nor towards the quorum. Ballots on another subject, of voters not eligible, and
 * second ballots are handed back in `refused`. The order of ballots of different voters changes nothing.
 *
 * With c confirms, r rejects and the quorum q, all rules but `quorum` and `judge` give `no_quorum` if c + r < q. Then:
 * - `majority`: `confirmed` if c > r, `rejected` if r > c, `tie` if c = r.
 * - `quorum`: `confirmed` if c ≥ q > r; `rejected` if r ≥ q > c; `tie` if both reach q, whichever is larger, since the
 *   rule then holds for either side; `no_quorum` if neither does.
 * - `weighted`: as majority, of weights instead of ballots.
 * - `unanimous`: `confirmed` if r = 0, `rejected` if c = 0, else `tie`: neither side has everyone.
 * - `byzantine`: the side with at least ⌈(n + f + 1) / 2⌉ of the n eligible voters, which no f faulty or silent ones can
 *   turn or prevent if n ≥ 3f + 1; `no_quorum` if no side has, or if n < 3f + 1 (see `faultBound`).
 * - `judge`: the judge's ballot, whatever the others and the quorum say; of several judges the larger side; `no_quorum`
 *   if none of them is eligible and takes a side.
 *
 * No ballots at all are `no_quorum` under every rule.
 *
 * @throws InvalidInputError a quorum that is no whole number ≥ 1, a number of faults that is none ≥ 0
 */
export function decide(poll: Poll): PollResult {
  const { rule, quorum, subject } = poll;
  requireLimits(poll);
  const { admitted, refused } = admit(poll);
  const votersOf = (vote: Ballot['vote']): string[] => admitted.flatMap((ballot) => (ballot.vote === vote ? [ballot.voter] : []));
  const sides = { confirms: votersOf('confirm'), rejects: votersOf('reject') };
  const counts = { confirms: sides.confirms.length, rejects: sides.rejects.length, abstains: votersOf('abstain').length };
  const { outcome, note } = verdictOf(sides, poll);
  const eligible = new Set(poll.eligible).size;
  const decision = { subject, rule, outcome, ...counts, quorum, eligible, ...(note === undefined ? {} : { note }) };
  return { decision, refused };
}
