import { InvalidInputError } from '../../errors.ts';
import { retryDelayMs } from '../retry.ts';
import { createIntensity, type Intensity, type IntensityLimit } from './intensity.ts';
import { restartSet, type RestartStrategy } from './restart-set.ts';

/** Started again always, only after an exit that is not normal, or never. */
export type RestartKind = 'permanent' | 'transient' | 'temporary';

/** How a child ended by itself, or was ended for being hung (`killed`). */
export type ExitReason = 'normal' | 'error' | 'killed';

export interface WorkerSpec {
  /** Unique in the whole tree. */
  readonly id: string;
  /** Default `permanent`. */
  readonly restart?: RestartKind;
}

export interface SupervisorSpec extends WorkerSpec, IntensityLimit {
  readonly strategy: RestartStrategy;
  /** In order of start. */
  readonly children: readonly (WorkerSpec | SupervisorSpec)[];
  /**
   * Waits before a restart, by the number of restarts within the period, with full jitter; OTP has none. Default: none.
   */
  readonly backoff?: { readonly growth: 'fixed' | 'linear' | 'exponential'; readonly delayMs: number };
}

/**
 * What is to be done, in order. `id` is a worker's; of `escalate` the supervisor's that stopped its children since it had
 * restarted them too often. All starts of one answer wait the same `delayMs` and come in order.
 */
export type Action =
  | { readonly type: 'stop'; readonly id: string }
  | { readonly type: 'start'; readonly id: string; readonly delayMs: number }
  | { readonly type: 'escalate'; readonly id: string };

/** Who runs in a tree of supervisors, by OTP's rules; decides and does nothing. */
export interface Supervision {
  /** Starts everything; nothing when it was started before. */
  start(): readonly Action[];
  /**
   * A child has ended, though it was not asked to. Nothing for one that was stopped meanwhile, and after the end.
   * @param atMs of a clock that does not go back
   * @throws InvalidInputError no worker of this id
   */
  onExit(id: string, reason: ExitReason, atMs: number): readonly Action[];
  /** Stops everything that is up, last started first; nothing is started after it. */
  stop(): readonly Action[];
  /** Workers that run, or wait to be started again, in order of start. */
  up(): readonly string[];
  readonly state: 'new' | 'up' | 'stopped' | 'gave_up';
}

interface Child {
  readonly id: string;
  readonly restart: RestartKind;
  readonly parent: Group | null;
  /** Only of a supervisor. */
  readonly group: Group | null;
  isUp: boolean;
}

interface Group {
  readonly spec: SupervisorSpec;
  readonly self: Child;
  readonly children: Child[];
  window: Intensity;
}

function makeTree(spec: WorkerSpec | SupervisorSpec, parent: Group | null, byId: Map<string, Child>): Child {
  if (byId.has(spec.id)) {
    throw new InvalidInputError(`two children have the id ${spec.id}`, { hint: 'Give each child of the tree an id of its own.' });
  }
  const common = { id: spec.id, restart: spec.restart ?? 'permanent', parent, isUp: false };
  if (!('children' in spec)) {
    const worker: Child = { ...common, group: null };
    byId.set(spec.id, worker);
    return worker;
  }
  const children: Child[] = [];
  const self: Child = {
    ...common,
    get group() {
      return group;
    },
  };
  const group: Group = { spec, self, children, window: createIntensity(spec) };
  byId.set(spec.id, self);
  for (const child of spec.children) children.push(makeTree(child, group, byId));
  return self;
}

/** Starts a child; a supervisor anew: with all its children, and no restarts counted. */
function bringUp(child: Child, delayMs: number, actions: Action[]): void {
  child.isUp = true;
  if (child.group === null) {
    actions.push({ type: 'start', id: child.id, delayMs });
    return;
  }
  child.group.window = createIntensity(child.group.spec);
  for (const below of child.group.children) bringUp(below, delayMs, actions);
}

function takeDown(child: Child, actions: Action[]): void {
  if (!child.isUp) return;
  child.isUp = false;
  if (child.group === null) actions.push({ type: 'stop', id: child.id });
  else for (const below of child.group.children.toReversed()) takeDown(below, actions);
}

function upWithin(child: Child): readonly string[] {
  if (!child.isUp) return [];
  return child.group === null ? [child.id] : child.group.children.flatMap(upWithin);
}

/** A child's siblings that its failure concerns are stopped, last started first, and started with it in order. */
function restart(group: Group, failed: Child, random: () => number, actions: Action[]): void {
  const { strategy, backoff } = group.spec;
  const order = group.children.map(({ id }) => id);
  const ids = new Set(restartSet(strategy, order, failed.id));
  const concerned = group.children.filter(({ id }) => ids.has(id));
  for (const child of concerned.toReversed()) takeDown(child, actions);
  const attempt = group.window.count;
  const delayMs =
    backoff === undefined ? 0 : retryDelayMs({ backoff: backoff.growth, delayMs: backoff.delayMs, attempt, random });
  // A sibling's failure may end a temporary child, and never starts it.
  for (const child of concerned) if (child.restart !== 'temporary') bringUp(child, delayMs, actions);
}

/**
 * A tree of supervisors and workers by the rules of OTP (source: erlang.org/doc/system/sup_princ and the module
 * `supervisor`): one failure is one restart whatever the strategy; with more than `intensity` of them within `periodMs` a
 * supervisor stops its children and ends with the reason `shutdown`, which counts as normal: its own supervisor starts it
 * again when it is permanent. One without a supervisor gives up. A group that is started again starts also those of its
 * transient children that had ended normally; temporary ones are not started.
 * @param random uniform in [0, 1), for the jitter of backoffs
 *
 * @throws InvalidInputError an id that two have, an intensity or a period out of range
 */
export function createSupervision(spec: SupervisorSpec, { random }: { readonly random: () => number }): Supervision {
  const byId = new Map<string, Child>();
  const root = makeTree(spec, null, byId);
  let state: Supervision['state'] = 'new';

  const ended = (child: Child, isNormal: boolean, atMs: number, actions: Action[]): void => {
    const { parent: group } = child;
    if (group === null) {
      state = 'gave_up';
      return;
    }
    child.isUp = false;
    if (child.restart === 'temporary' || (child.restart === 'transient' && isNormal)) return;
    if (group.window.record(atMs)) {
      restart(group, child, random, actions);
      return;
    }
    takeDown(group.self, actions);
    actions.push({ type: 'escalate', id: group.self.id });
    ended(group.self, true, atMs, actions);
  };

  return {
    start: () => {
      const actions: Action[] = [];
      if (state !== 'new') return actions;
      state = 'up';
      bringUp(root, 0, actions);
      return actions;
    },
    onExit: (id, reason, atMs) => {
      const child = byId.get(id);
      if (child === undefined || child.group !== null) {
        throw new InvalidInputError(`there is no worker ${id} under ${spec.id}`, {
          hint: 'Give the id of a worker of the tree.',
        });
      }
      const actions: Action[] = [];
      if (state === 'up' && child.isUp) ended(child, reason === 'normal', atMs, actions);
      return actions;
    },
    stop: () => {
      const actions: Action[] = [];
      takeDown(root, actions);
      if (state !== 'gave_up') state = 'stopped';
      return actions;
    },
    up: () => upWithin(root),
    get state() {
      return state;
    },
  };
}
