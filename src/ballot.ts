export type Vote = 'confirm' | 'reject' | 'abstain';

/** The vote of one agent on one subject (a finding's id). A reject and a confirm carry a reason. */
export interface Ballot {
  readonly subject: string;
  /** The voting agent's id. */
  readonly voter: string;
  readonly vote: Vote;
  /** Why: one sentence from the voter's own evidence; for an abstention, what evidence it lacks. */
  readonly reason: string;
}

/** How a vote on a finding is counted; see `swarm/consensus`. Ranked choice is for votes among options. */
export type DecisionRule = 'majority' | 'quorum' | 'weighted' | 'unanimous' | 'byzantine' | 'judge';
export const DECISION_RULES = [
  'majority',
  'quorum',
  'weighted',
  'unanimous',
  'byzantine',
  'judge',
] as const satisfies readonly DecisionRule[];

/**
 * What came of a vote: `confirmed`, `rejected`, `tie` (as many for as against), `no_quorum` (too few voted).
 */
export type Outcome = 'confirmed' | 'rejected' | 'tie' | 'no_quorum';

/** The result of a vote on one subject. Counts are of ballots that the rule admitted: one a voter, the first one. */
export interface Decision {
  readonly subject: string;
  readonly rule: DecisionRule;
  readonly outcome: Outcome;
  readonly confirms: number;
  readonly rejects: number;
  readonly abstains: number;
  /** Confirm + reject ballots that the rule asked for. */
  readonly quorum: number;
  /** How many could have voted. */
  readonly eligible: number;
  /** What a reader should know of how it came about: the weights, the faults it could bear. */
  readonly note?: string;
}
