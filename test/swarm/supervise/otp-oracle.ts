import type { ExitReason, SupervisorSpec, WorkerSpec } from '../../../src/swarm/supervise/supervision.ts';

type Spec = WorkerSpec | SupervisorSpec;

/** What OTP's documentation says, sentence by sentence, as slow and plain as it is there. */
export interface Oracle {
  /** `start a`, `stop b`, `escalate s`, in order. */
  start(): string[];
  exit(id: string, reason: ExitReason, at: number): string[];
  alive(): string[];
}

function childrenOf(spec: Spec): readonly Spec[] {
  return 'children' in spec ? spec.children : [];
}

function find(spec: Spec, id: string): Spec | undefined {
  return spec.id === id
    ? spec
    : childrenOf(spec)
        .map((child) => find(child, id))
        .find((found) => found !== undefined);
}

function parentOf(spec: SupervisorSpec, id: string): SupervisorSpec | undefined {
  for (const child of spec.children) {
    if (child.id === id) return spec;
    const found = 'children' in child ? parentOf(child, id) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

export function createOracle(root: SupervisorSpec): Oracle {
  let log: string[] = [];
  const living: Record<string, boolean> = {};
  const restarts: { readonly supervisor: string; readonly at: number }[] = [];
  /** Restarts before this place in `restarts` were those of an earlier process of the supervisor. */
  const born: Record<string, number> = {};

  // "a supervisor … starts its child processes in the order of the list"
  const start = (spec: Spec): void => {
    living[spec.id] = true;
    born[spec.id] = restarts.length;
    if (!('children' in spec)) log.push(`start ${spec.id}`);
    for (const child of childrenOf(spec)) {
      start(child);
    }
  };
  // "terminates all its children in reversed start order"
  const terminate = (spec: Spec): void => {
    if (living[spec.id] !== true) return;
    for (let at = childrenOf(spec).length - 1; at >= 0; at -= 1) {
      const child = childrenOf(spec)[at];
      if (child !== undefined) terminate(child);
    }
    living[spec.id] = false;
    if (!('children' in spec)) log.push(`stop ${spec.id}`);
  };
  const ended = (spec: Spec, how: 'normal' | 'shutdown' | 'abnormal', now: number): void => {
    living[spec.id] = false;
    const supervisor = parentOf(root, spec.id);
    if (supervisor === undefined) return;
    // "a temporary child process is never restarted"
    if (spec.restart === 'temporary') return;
    // "a transient child process is restarted only if it terminates abnormally, i.e. with another exit reason than
    // normal, shutdown or {shutdown,Term}"
    if (spec.restart === 'transient' && how !== 'abnormal') return;
    restarts.push({ supervisor: supervisor.id, at: now });
    const recent = restarts.filter(
      (one, place) =>
        one.supervisor === supervisor.id && place >= (born[supervisor.id] ?? 0) && one.at >= now - supervisor.periodMs,
    );
    // "if more than MaxR restarts occur in the last MaxT seconds, the supervisor terminates all the child processes and
    // then itself; the termination reason for the supervisor itself will be shutdown"
    if (recent.length > supervisor.intensity) {
      terminate(supervisor);
      log.push(`escalate ${supervisor.id}`);
      ended(supervisor, 'shutdown', now);
      return;
    }
    const first = {
      one_for_one: () => supervisor.children.filter(({ id }) => id === spec.id),
      one_for_all: () => supervisor.children,
      rest_for_one: () => supervisor.children.slice(supervisor.children.indexOf(spec)),
    }[supervisor.strategy]();
    for (const child of [...first].reverse()) terminate(child);
    for (const child of first) {
      // "even when the restart strategy is rest_for_one or one_for_all and a sibling's death causes the temporary
      // process to be terminated"
      if (child.restart !== 'temporary') start(child);
    }
  };
  const take = (): string[] => {
    const taken = log;
    log = [];
    return taken;
  };
  const workers = (spec: Spec): string[] => ('children' in spec ? spec.children.flatMap(workers) : [spec.id]);
  return {
    start: () => {
      start(root);
      return take();
    },
    exit: (id, reason, at) => {
      const spec = find(root, id);
      if (spec !== undefined && living[id] === true) ended(spec, reason === 'normal' ? 'normal' : 'abnormal', at);
      return take();
    },
    alive: () => workers(root).filter((id) => living[id] === true),
  };
}
