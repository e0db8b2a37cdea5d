/** How often a voter voted where the truth came out, and how often it was right. Whole numbers, 0 ≤ correct ≤ votes. */
export interface VoterRecord {
  readonly votes: number;
  readonly correct: number;
}

/** What is believed of a voter before anything is known: three votes, two of them right. */
const PRIOR_VOTES = 3;
const PRIOR_CORRECT = 2;
/** Whoever errs more often than not counts nothing, never against its own vote. */
const MIN_ACCURACY = 0.5;
const MAX_ACCURACY = 0.99;

/**
 * The weight of a voter: ln(p / (1 − p)), the weights that make the weighted majority of independent voters right most
 * often (Nitzan and Paroush 1982, Shapley and Grofman 1984). p is the accuracy (correct + 2) / (votes + 3), kept
 * within .5–.99; so a weight lies between 0 and 4.6, and is .69 where nothing is known.
 */
function weightOf({ votes, correct }: VoterRecord): number {
  const accuracy = (correct + PRIOR_CORRECT) / (votes + PRIOR_VOTES);
  const clamped = Math.min(MAX_ACCURACY, Math.max(MIN_ACCURACY, accuracy));
  return Math.log(clamped / (1 - clamped));
}

/** The weight of a voter without a record. */
export const UNMEASURED_WEIGHT = weightOf({ votes: 0, correct: 0 });

/** Weights by voter (or role) from what is on record of them. */
export function weightsOf(records: ReadonlyMap<string, VoterRecord>): ReadonlyMap<string, number> {
  return new Map([...records].map(([voter, record]) => [voter, weightOf(record)]));
}
