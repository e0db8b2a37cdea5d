import type { SgNode } from '@ast-grep/napi';
import { type Origin, originOf, worst } from './origin.ts';

/** One place where a name gets a value. */
export interface Binding {
  readonly name: string;
  /** The statement or parameter list that binds. */
  readonly node: SgNode;
  /** What the name stands for, or is a part of; `null` for parameters. */
  readonly value: SgNode | null;
  /** `declare` makes the name in its scope, `assign` gives an existing one a value, `augment` adds to it. */
  readonly how: 'declare' | 'assign' | 'augment' | 'parameter' | 'function';
  /** The key that a destructuring pattern takes out of the value. */
  readonly key?: string;
  /** For a parameter: its place in the list, and the text of a decorator or annotation before it. */
  readonly index?: number;
  readonly mark?: string;
}

/** What differs between languages. */
export interface FlowModel {
  readonly functionKinds: readonly string[];
  readonly blockKinds: readonly string[];
  /** Kinds of nodes that bind names. */
  readonly bindingKinds: readonly string[];
  /** The names that such a node binds. */
  bindings(node: SgNode): readonly Binding[];
  /** The origin of an expression that is no plain name. */
  evaluate(node: SgNode, flow: Flow): Origin;
  /** The origin of a parameter, given its function. */
  parameter(binding: Binding, fn: SgNode, flow: Flow): Origin;
  /** The origin of a name taken out of a value. */
  part(value: SgNode, key: string, flow: Flow): Origin;
}

/** What an evaluation may ask. */
export interface Flow {
  origin(node: SgNode): Origin;
  readonly canonical: (name: string) => string;
  /** The parameter that a name is bound to where it is one, with its function. */
  parameterOf(node: SgNode): { readonly binding: Binding; readonly fn: SgNode } | null;
  /** The one value that a name has, or `null` where it has none or several. */
  valueOf(node: SgNode): SgNode | null;
}

interface Placed extends Binding {
  readonly scope: number;
  readonly start: number;
  readonly end: number;
}

interface Scope {
  readonly node: SgNode;
  readonly start: number;
  readonly end: number;
  readonly parent: number;
}

const MAX_DEPTH = 24;
const FILE = -1;

function isName(node: SgNode): boolean {
  return node.kind() === 'identifier' || node.kind() === 'shorthand_property_identifier';
}

function kindsOf(root: SgNode, kinds: readonly string[]): SgNode[] {
  return root.findAll({ rule: { any: kinds.map((kind) => ({ kind })) } });
}

/** Functions in document order, each with the index of the function around it. */
function scopesOf(root: SgNode, kinds: readonly string[]): Scope[] {
  const scopes: Scope[] = [];
  let open = FILE;
  for (const node of kindsOf(root, kinds)) {
    const { start, end } = node.range();
    while (open !== FILE && (scopes[open]?.end ?? 0) <= start.index) open = scopes[open]?.parent ?? FILE;
    scopes.push({ node, start: start.index, end: end.index, parent: open });
    open = scopes.length - 1;
  }
  return scopes;
}

/** Index of the innermost scope around a position, or -1 for the file. */
function scopeAt(scopes: readonly Scope[], position: number): number {
  let low = 0;
  let high = scopes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((scopes[middle]?.start ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  let index = low - 1;
  while (index !== FILE && (scopes[index]?.end ?? 0) <= position) index = scopes[index]?.parent ?? FILE;
  return index;
}

interface Names {
  readonly scopes: readonly Scope[];
  readonly byName: ReadonlyMap<string, readonly Placed[]>;
}

/** Every binding of the file under its name; an assignment belongs to the scope that declares the name. */
function namesOf(root: SgNode, model: FlowModel): Names {
  const scopes = scopesOf(root, model.functionKinds);
  const byName = new Map<string, Placed[]>();
  for (const node of kindsOf(root, model.bindingKinds)) {
    const found = model.bindings(node);
    if (found.length === 0) continue;
    const { start, end } = node.range();
    const inner = scopeAt(scopes, start.index);
    for (const binding of found) {
      const outside = binding.how === 'function' && scopes[inner]?.start === start.index;
      const scope = outside ? (scopes[inner]?.parent ?? FILE) : inner;
      const list = byName.get(binding.name) ?? [];
      list.push({ ...binding, scope, start: start.index, end: end.index });
      byName.set(binding.name, list);
    }
  }
  for (const [name, list] of byName) byName.set(name, attachAssignments(list, scopes));
  return { scopes, byName };
}

function attachAssignments(list: readonly Placed[], scopes: readonly Scope[]): Placed[] {
  const declared = new Set(list.filter((b) => b.how !== 'assign' && b.how !== 'augment').map((b) => b.scope));
  return list.map((binding) => {
    if (binding.how !== 'assign' && binding.how !== 'augment') return binding;
    let scope = binding.scope;
    while (scope !== FILE && !declared.has(scope)) scope = scopes[scope]?.parent ?? FILE;
    return declared.has(scope) ? { ...binding, scope } : binding;
  });
}

/**
 * Light dataflow over one file: follows local names through assignments inside their function, nothing across calls.
 * A name's value at a place is what the assignments before it gave, back to the last one that certainly ran.
 * Evaluation is lazy; nothing is indexed until the first name is asked for.
 */
export function createFlow(root: SgNode, model: FlowModel, canonical: (name: string) => string): Flow {
  let names: Names | undefined;
  const cache = new Map<number, Origin>();
  const active = new Set<number>();

  function reaching(node: SgNode): readonly Placed[] {
    names ??= namesOf(root, model);
    const list = names.byName.get(node.text());
    if (list === undefined) return [];
    const position = node.range().start.index;
    const here = scopeAt(names.scopes, position);
    let scope = here;
    while (!list.some((b) => b.scope === scope) && scope !== FILE) scope = names.scopes[scope]?.parent ?? FILE;
    const own = list.filter((b) => b.scope === scope);
    if (scope !== here) return own;
    const before = own.filter((b) => b.end <= position || b.how === 'parameter' || (b.start <= position && isLoop(b)));
    return before.length === 0 ? own : backToCertain(before, position);
  }

  function backToCertain(before: readonly Placed[], position: number): readonly Placed[] {
    const reached: Placed[] = [];
    for (const binding of before.toReversed()) {
      reached.push(binding);
      if (binding.how !== 'augment' && !isLoop(binding) && blockContains(binding.node, position)) break;
    }
    return reached;
  }

  function isLoop(binding: Binding): boolean {
    return binding.node.kind().toString().startsWith('for');
  }

  function blockContains(node: SgNode, position: number): boolean {
    for (const around of node.ancestors()) {
      if (!model.blockKinds.includes(around.kind().toString())) continue;
      const { start, end } = around.range();
      return start.index <= position && position < end.index;
    }
    return true;
  }

  function functionOf(binding: Placed): SgNode | null {
    return names?.scopes[binding.scope]?.node ?? null;
  }

  function originOfBinding(binding: Placed): Origin {
    if (binding.how === 'parameter') {
      const fn = functionOf(binding);
      return fn === null ? originOf('unknown', binding.name) : model.parameter(binding, fn, flow);
    }
    if (binding.how === 'function') return originOf('constant', '');
    if (binding.value === null) return originOf('unknown', binding.name);
    return binding.key === undefined ? flow.origin(binding.value) : model.part(binding.value, binding.key, flow);
  }

  const flow: Flow = {
    canonical,
    origin(node) {
      const id = node.id();
      const known = cache.get(id);
      if (known !== undefined) return known;
      if (active.has(id) || active.size > MAX_DEPTH) return originOf('constant', '');
      active.add(id);
      const bound = isName(node) ? reaching(node) : [];
      const found = bound.length > 0 ? worst(bound.map(originOfBinding)) : model.evaluate(node, flow);
      active.delete(id);
      if (active.size === 0) cache.set(id, found);
      return found;
    },
    parameterOf(node) {
      if (!isName(node)) return null;
      const bound = reaching(node);
      const [only] = bound;
      if (only === undefined || bound.length > 1 || only.how !== 'parameter') return null;
      const fn = functionOf(only);
      return fn === null ? null : { binding: only, fn };
    },
    valueOf(node) {
      if (!isName(node)) return null;
      const bound = reaching(node);
      const [only] = bound;
      return only === undefined || bound.length > 1 || only.key !== undefined ? null : only.value;
    },
  };
  return flow;
}
