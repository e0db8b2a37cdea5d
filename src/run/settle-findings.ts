import type { Ballot, Decision } from '../ballot.ts';
import type { Finding } from '../finding.ts';
import type { SwarmSpec } from '../skill/skill.ts';
import { decide } from '../swarm/consensus/decide.ts';
import type { FoldedRun } from './fold.ts';
import { reportedFindings } from './reported-findings.ts';

/** A finding with who reported it. */
export interface ReportedFinding {
  readonly finding: Finding;
  /** Ids of the agents that found it by themselves, in the plan's order. */
  readonly reportedBy: readonly string[];
}

/** What the steps of a run put out, gathered. */
export interface Gathered {
  readonly findings: readonly ReportedFinding[];
  readonly ballots: readonly Ballot[];
  /** Ids of the agents that completed a judging step; they may vote. */
  readonly judges: readonly string[];
}

/** Gathers what the steps reported, in the plan's order. */
export function gatherFindings({ steps }: Pick<FoldedRun, 'steps'>): Gathered {
  const reported = new Map<string, { finding: Finding; reportedBy: string[] }>();
  const ballots: Ballot[] = [];
  const judges = new Set<string>();
  for (const step of steps.values()) {
    if (step.output === null) continue;
    if (step.kind === 'judge') judges.add(step.agentId);
    ballots.push(...step.output.ballots);
    for (const finding of reportedFindings(step, steps)) {
      const known = reported.get(finding.id);
      if (known === undefined) reported.set(finding.id, { finding, reportedBy: [step.agentId] });
      else if (!known.reportedBy.includes(step.agentId)) known.reportedBy.push(step.agentId);
    }
  }
  return { findings: [...reported.values()], ballots, judges: [...judges] };
}

/**
 * Decides on each finding, in their order. Whoever reported a finding does not vote on it. Without a judging round
 * nobody votes, and every outcome is `no_quorum`.
 *
 * @param weights by agent, for the rule `weighted`
 * @param agents the members, for the rule `judge`, which names a type
 */
export function settleFindings(
  { findings, ballots, judges }: Gathered,
  { rule, quorum, judge }: SwarmSpec['decision'],
  agents: readonly { readonly id: string; readonly type: string }[],
  weights: ReadonlyMap<string, number>,
): readonly Decision[] {
  const bySubject = groupBallots(ballots);
  const deciding = agents.filter(({ type }) => type === judge).map(({ id }) => id);
  return findings.map(({ finding, reportedBy }) => {
    const eligible = judges.filter((one) => !reportedBy.includes(one));
    const cast = bySubject.get(finding.id) ?? [];
    return decide({ rule, quorum, subject: finding.id, eligible, ballots: cast, weights, judges: deciding }).decision;
  });
}

function groupBallots(ballots: readonly Ballot[]): ReadonlyMap<string, readonly Ballot[]> {
  const groups = new Map<string, Ballot[]>();
  for (const ballot of ballots) {
    const group = groups.get(ballot.subject);
    if (group === undefined) groups.set(ballot.subject, [ballot]);
    else group.push(ballot);
  }
  return groups;
}
