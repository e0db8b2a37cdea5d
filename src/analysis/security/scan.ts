import type { SgNode } from '@ast-grep/napi';
import type { Language } from '../../changes.ts';
import { parseSource } from '../syntax.ts';
import { createFlow, type Flow } from './dataflow.ts';
import { javascriptFlow } from './flow-javascript.ts';
import { pythonFlow } from './flow-python.ts';
import { javascriptImports, pythonImports, resolveImport } from './imports.ts';
import type { Hit, Scene, SecurityRule } from './rule.ts';
import { VIEW_KINDS, type ViewKinds, viewAssignment, viewCall, viewEntry } from './views.ts';

/** A hit with its rule and the node to flag. */
export interface RuleHit {
  readonly rule: SecurityRule;
  readonly hit: Hit;
  readonly node: SgNode;
}

/** A parsed text with what rules may ask about it. */
export interface ParsedScene {
  readonly kinds: ViewKinds;
  readonly scene: Scene;
  readonly root: SgNode;
  readonly flow: Flow;
}

/** Parses a text for rules; `null` where there is no parser for it, or most of it is not of this language. */
export function openScene(language: Language, path: string, text: string): ParsedScene | null {
  const { tree } = parseSource(language, text);
  if (tree === null) return null;
  const root = tree.root();
  if (isMostlyErrors(root, text.length)) return null;
  const imports = language === 'python' ? pythonImports(text) : javascriptImports(text);
  const canonical = (name: string): string => resolveImport(imports, name);
  const flow = createFlow(root, language === 'python' ? pythonFlow : javascriptFlow, canonical);
  const kinds = VIEW_KINDS[language];
  const scene: Scene = {
    text,
    path,
    canonical,
    origin: (node) => flow.origin(node),
    definition: (node) => flow.valueOf(node) ?? node,
    call: (node) => (kinds.calls.includes(node.kind().toString()) ? viewCall(node, canonical) : null),
  };
  return { kinds, scene, root, flow };
}

/** Whether nodes of the kind ERROR cover more than half of the text. */
function isMostlyErrors(root: SgNode, length: number): boolean {
  if (root.kind() === 'ERROR') return true;
  let size = 0;
  for (const child of root.children()) {
    if (child.kind() !== 'ERROR') continue;
    const { start, end } = child.range();
    size += end.index - start.index;
  }
  return size * 2 > length;
}

function kindsFor(rules: readonly SecurityRule[], known: ViewKinds): string[] {
  const kinds = new Set<string>();
  for (const rule of rules) {
    if (rule.calls !== undefined) for (const kind of known.calls) kinds.add(kind);
    if (rule.assigns !== undefined) for (const kind of known.assignments) kinds.add(kind);
    if (rule.entries !== undefined) for (const kind of known.entries) kinds.add(kind);
    for (const kind of rule.nodes?.kinds ?? []) if (!known.absent.includes(kind)) kinds.add(kind);
  }
  return [...kinds];
}

/** The rules one of whose keywords is in the text, and whose shape the text has. */
export function rulesFor(rules: readonly SecurityRule[], text: string): SecurityRule[] {
  return rules.filter((rule) => rule.keywords.some((keyword) => text.includes(keyword)) && rule.shape?.test(text) !== false);
}

/** All hits of the rules, in document order; one a rule and line, none that yields to another one. */
export function scanScene(parsed: ParsedScene, rules: readonly SecurityRule[]): RuleHit[] {
  const found: RuleHit[] = [];
  const kinds = kindsFor(rules, parsed.kinds);
  if (kinds.length === 0) return found;
  const check = createChecks(parsed, rules, (rule, hit, node) => {
    if (hit !== null) found.push({ rule, hit, node: hit.node ?? node });
  });
  for (const node of parsed.root.findAll({ rule: { any: kinds.map((kind) => ({ kind })) } })) check(node, node.kind().toString());
  return withoutYielding(onePerLine(found));
}

type Found = (rule: SecurityRule, hit: Hit | null, node: SgNode) => void;

/** Gives each node to the rules that look at its kind. */
function createChecks(
  { scene, kinds }: ParsedScene,
  rules: readonly SecurityRule[],
  found: Found,
): (node: SgNode, kind: string) => void {
  const calls = rules.flatMap((rule) => (rule.calls === undefined ? [] : [{ rule, on: rule.calls }]));
  const assigns = rules.flatMap((rule) => (rule.assigns === undefined ? [] : [{ rule, on: rule.assigns }]));
  const entries = rules.flatMap((rule) => (rule.entries === undefined ? [] : [{ rule, on: rule.entries }]));
  const others = rules.flatMap((rule) => (rule.nodes === undefined ? [] : [{ rule, on: rule.nodes }]));
  const checkCall = (node: SgNode): void => {
    const call = calls.length === 0 ? null : viewCall(node, scene.canonical);
    if (call === null) return;
    for (const { rule, on } of calls) if (on.callee.test(call.callee)) found(rule, on.check(call, scene), node);
  };
  const checkAssignment = (node: SgNode): void => {
    const view = assigns.length === 0 ? null : viewAssignment(node);
    if (view === null) return;
    for (const { rule, on } of assigns) if (on.name.test(view.name)) found(rule, on.check(view, scene), node);
  };
  const checkEntry = (node: SgNode): void => {
    const view = entries.length === 0 ? null : viewEntry(node);
    if (view === null) return;
    for (const { rule, on } of entries) if (on.key.test(view.key)) found(rule, on.check(view, scene), node);
  };
  return (node, kind) => {
    if (kinds.calls.includes(kind)) checkCall(node);
    else if (kinds.assignments.includes(kind)) checkAssignment(node);
    else if (kinds.entries.includes(kind)) checkEntry(node);
    for (const { rule, on } of others) if (on.kinds.includes(kind)) found(rule, on.check(node, scene), node);
  };
}

function onePerLine(hits: readonly RuleHit[]): RuleHit[] {
  const seen = new Set<string>();
  return hits.filter(({ rule, node }) => {
    const key = `${rule.id}:${node.range().start.line}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

function withoutYielding(hits: readonly RuleHit[]): RuleHit[] {
  return hits.filter(({ rule, node }) => {
    const stronger = hits.filter((other) => rule.yieldsTo?.includes(other.rule.id) === true);
    if (stronger.length === 0) return true;
    const own = node.range();
    return !stronger.some((other) => {
      const { start, end } = other.node.range();
      return start.index < own.end.index && own.start.index < end.index;
    });
  });
}
