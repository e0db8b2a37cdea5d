import type { SgNode } from '@ast-grep/napi';
import type { Language } from '../../changes.ts';
import { parseSource } from '../syntax.ts';
import { createFlow, type Flow } from './dataflow.ts';
import { javascriptFlow } from './flow-javascript.ts';
import { pythonFlow } from './flow-python.ts';
import { javascriptImports, pythonImports, resolveImport } from './imports.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';
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
  const calls = rules.filter((rule) => rule.calls !== undefined);
  const assigns = rules.filter((rule) => rule.assigns !== undefined);
  const entries = rules.filter((rule) => rule.entries !== undefined);
  const others = rules.filter((rule) => rule.nodes !== undefined);
  const { scene } = parsed;
  const add = (rule: SecurityRule, hit: Hit | null | undefined, node: SgNode): void => {
    if (hit !== null && hit !== undefined) found.push({ rule, hit, node: hit.node ?? node });
  };
  for (const node of parsed.root.findAll({ rule: { any: kinds.map((kind) => ({ kind })) } })) {
    const kind = node.kind().toString();
    if (parsed.kinds.calls.includes(kind)) {
      const call = viewCall(node, scene.canonical);
      if (call !== null) for (const rule of calls) if (matches(rule, call)) add(rule, rule.calls?.check(call, scene), node);
    } else if (parsed.kinds.assignments.includes(kind)) {
      const view = assigns.length === 0 ? null : viewAssignment(node);
      if (view !== null) {
        for (const rule of assigns)
          if (rule.assigns?.name.test(view.name) === true) add(rule, rule.assigns.check(view, scene), node);
      }
    } else if (parsed.kinds.entries.includes(kind)) {
      const view = entries.length === 0 ? null : viewEntry(node);
      if (view !== null) {
        for (const rule of entries)
          if (rule.entries?.key.test(view.key) === true) add(rule, rule.entries.check(view, scene), node);
      }
    }
    for (const rule of others) if (rule.nodes?.kinds.includes(kind) === true) add(rule, rule.nodes.check(node, scene), node);
  }
  return withoutYielding(onePerLine(found));
}

function matches(rule: SecurityRule, call: Call): boolean {
  return rule.calls?.callee.test(call.callee) === true;
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
