/** What a process that drives a run does. */
export interface RunTask {
  /** The database. */
  readonly path: string;
  readonly projectRoot: string;
  /** Of the server that counts calls. */
  readonly url: string;
  /** The run to go on with; `null`: begin one. */
  readonly runId: string | null;
  /** Members of each of three types. */
  readonly agentsOfType: number;
  /** The machine on which it says it is; `null`: this one. */
  readonly host: string | null;
  readonly leaseMs: number;
}

/** A call that costs money, as the server hears of it. */
export interface PaidCall {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly pid: number;
}
