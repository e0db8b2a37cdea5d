import type { Ballot, Decision, DecisionRule } from '../ballot.ts';
import type { Finding } from '../finding.ts';
import { decide } from '../swarm/consensus/decide.ts';
import type { Plan } from '../swarm/plan.ts';
import type { StepOutcome } from './drive-steps.ts';
import { reportedFindings } from './reported-findings.ts';

/** A finding with who reported it. */
export interface ReportedFinding {
  readonly finding: Finding;
  /** Ids of the agents that found it by themselves, in the plan's order. */
  readonly reportedBy: readonly string[];
}

/** What the swarm agreed on. `decisions` has one entry a finding, in the same order. */
export interface Settled {
  readonly findings: readonly ReportedFinding[];
  readonly ballots: readonly Ballot[];
  readonly decisions: readonly Decision[];
}

/**
 * Gathers what the steps reported and decides on each finding. Whoever reported a finding does not vote on it; whoever
 * completed a judging step may. Without a judging round nobody votes, and every outcome is `no_quorum`.
 */
export function settleFindings(
  plan: Plan,
  outcomes: ReadonlyMap<string, StepOutcome>,
  rule: { readonly rule: DecisionRule; readonly quorum: number },
): Settled {
  const reported = new Map<string, { finding: Finding; reportedBy: string[] }>();
  const ballots: Ballot[] = [];
  const judges: string[] = [];
  for (const step of plan.steps) {
    const { id, agentId, kind } = step;
    const outcome = outcomes.get(id);
    if (outcome?.status !== 'completed') continue;
    if (kind === 'judge') judges.push(agentId);
    ballots.push(...outcome.output.ballots);
    for (const finding of reportedFindings(step, outcome.output, outcomes)) {
      const known = reported.get(finding.id);
      if (known === undefined) reported.set(finding.id, { finding, reportedBy: [agentId] });
      else if (!known.reportedBy.includes(agentId)) known.reportedBy.push(agentId);
    }
  }
  const bySubject = groupBallots(ballots);
  const decisions = [...reported.values()].map(({ finding, reportedBy }) => {
    const eligible = judges.filter((judge) => !reportedBy.includes(judge));
    return decide({ ...rule, subject: finding.id, eligible, ballots: bySubject.get(finding.id) ?? [] }).decision;
  });
  return { findings: [...reported.values()], ballots, decisions };
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
