import type { Ballot, Decision } from './ballot.ts';
import type { Finding, Note } from './finding.ts';

interface EventBase {
  readonly runId: string;
  /** From 1, without gaps within a run. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What an event says, without its place in the journal. */
export type EventBody =
  | {
      readonly type: 'run_started';
      readonly skill: string;
      readonly task: string;
      readonly provider: string;
      readonly topology: string;
      readonly agents: readonly { readonly id: string; readonly type: string; readonly capabilities: readonly string[] }[];
      readonly steps: readonly string[];
      readonly files: number;
      readonly skipped: number;
    }
  | { readonly type: 'step_started'; readonly stepId: string; readonly agentId: string; readonly attempt: number }
  | {
      readonly type: 'step_completed';
      readonly stepId: string;
      readonly agentId: string;
      readonly durationMs: number;
      readonly findings: number;
      readonly ballots: number;
    }
  | {
      readonly type: 'step_skipped';
      readonly stepId: string;
      readonly agentId: string;
      readonly code: string;
      readonly reason: string;
    }
  | {
      readonly type: 'step_failed';
      readonly stepId: string;
      readonly agentId: string;
      readonly attempt: number;
      readonly code: string;
      readonly reason: string;
      readonly willRetry: boolean;
    }
  | { readonly type: 'finding_reported'; readonly agentId: string; readonly finding: Finding }
  | { readonly type: 'note_added'; readonly agentId: string | null; readonly note: Note }
  | { readonly type: 'ballot_cast'; readonly ballot: Ballot }
  | { readonly type: 'decision_made'; readonly decision: Decision }
  | {
      readonly type: 'run_completed';
      readonly durationMs: number;
      readonly confirmed: number;
      readonly rejected: number;
      readonly undecided: number;
      /** Paths of the outputs from the project root. */
      readonly outputs: readonly string[];
    }
  | { readonly type: 'run_failed'; readonly code: string; readonly reason: string }
  | { readonly type: 'run_cancelled'; readonly reason: string };

/** One fact in the journal. */
export type RunEvent = EventBase & EventBody;
