import type { Ballot, Decision, DecisionRule, Outcome } from '../../ballot.ts';
import { InvalidInputError } from '../../errors.ts';

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

function majority(confirms: number, rejects: number, quorum: number): Outcome {
  if (confirms + rejects < quorum) return 'no_quorum';
  if (confirms === rejects) return 'tie';
  return confirms > rejects ? 'confirmed' : 'rejected';
}

function quorumReached(confirms: number, rejects: number, quorum: number): Outcome {
  const confirmed = confirms >= quorum;
  const rejected = rejects >= quorum;
  if (confirmed && rejected) return 'tie';
  if (confirmed) return 'confirmed';
  return rejected ? 'rejected' : 'no_quorum';
}

/**
 * Counts a vote on one subject. Each eligible voter has one ballot, the first it cast; an abstention is such a ballot
 * and counts neither for nor against nor towards the quorum. Ballots on another subject, of voters not eligible, and
 * second ballots are handed back in `refused`.
 *
 * With c confirms, r rejects and the quorum q:
 * - `majority`: `no_quorum` if c + r < q; otherwise `confirmed` if c > r, `rejected` if r > c, `tie` if c = r.
 * - `quorum`: `confirmed` if c ≥ q > r; `rejected` if r ≥ q > c; `tie` if both reach q, whichever is larger, since the
 *   rule then holds for either side; `no_quorum` if neither does.
 *
 * No ballots at all are `no_quorum` under both rules.
 *
 * @throws InvalidInputError a quorum that is no whole number ≥ 1
 */
export function decide(poll: Poll): PollResult {
  const { rule, quorum, subject } = poll;
  if (!Number.isInteger(quorum) || quorum < 1) {
    throw new InvalidInputError(`quorum is ${quorum}; expected a whole number ≥ 1`, {
      hint: 'Set the quorum to the number of ballots that must not abstain.',
    });
  }
  const { admitted, refused } = admit(poll);
  const count = (vote: Ballot['vote']): number => admitted.filter((ballot) => ballot.vote === vote).length;
  const confirms = count('confirm');
  const rejects = count('reject');
  const outcome = (rule === 'majority' ? majority : quorumReached)(confirms, rejects, quorum);
  const eligible = new Set(poll.eligible).size;
  return { decision: { subject, rule, outcome, confirms, rejects, abstains: count('abstain'), quorum, eligible }, refused };
}
