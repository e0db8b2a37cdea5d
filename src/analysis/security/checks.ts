import type { SgNode } from '@ast-grep/napi';
import type { Confidence } from '../../finding.ts';
import type { Call, Check, Hit, Scene } from './rule.ts';

/** The confidence that a dangerous use deserves for each origin of its value; an origin that is missing is no hit. */
export interface Flows {
  readonly request: Confidence;
  readonly parameter?: Confidence;
  readonly unknown?: Confidence;
}

/** Dangerous whatever the value is, unless it is constant. */
export const ANY_VALUE: Flows = { request: 'high', parameter: 'medium', unknown: 'low' };
/** Dangerous where the value comes from a caller or from outside. */
export const FROM_CALLER: Flows = { request: 'high', parameter: 'medium' };
/** Dangerous only where the value certainly comes from outside. */
export const FROM_REQUEST: Flows = { request: 'high' };

const OUTSIDE_NAME =
  /\buser(?:[_-]?(?:input|file\w*|path|name|data|url|id|supplied\w*))?\b|untrust|taint|attack|payload|upload|\bparams?\b|\bquery\b|\breq(?:uest)?\b|\bentry\.(?:path|fileName|entryName)\b|\bcgi|posted|\binput$|[a-z_]input$/iu;

/** Hits where a value reaches a dangerous place; `null` for missing, constant and sanitized values. */
export function flowHit(scene: Scene, value: SgNode | null | undefined, flows: Flows): Hit | null {
  if (value === null || value === undefined) return null;
  const origin = scene.origin(value);
  if (origin.kind === 'constant' || origin.kind === 'sanitized') return null;
  const confidence = flows[origin.kind];
  return confidence === undefined ? null : { confidence, origin };
}

/** As {@link flowHit} for outside input, and for parameters whose name says that they hold such input. */
export function outsideHit(scene: Scene, value: SgNode | null | undefined): Hit | null {
  const hit = flowHit(scene, value, FROM_CALLER);
  if (hit?.origin?.kind !== 'parameter') return hit;
  return OUTSIDE_NAME.test(hit.origin.via) ? { ...hit, confidence: 'low' } : null;
}

/** The first hit among several values. */
export function firstHit(
  scene: Scene,
  values: readonly (SgNode | null | undefined)[],
  test: (scene: Scene, value: SgNode | null | undefined) => Hit | null,
): Hit | null {
  for (const value of values) {
    const hit = test(scene, value);
    if (hit !== null) return hit;
  }
  return null;
}

/** A check of one positional argument. */
export function argument(index: number, flows: Flows): Check<Call> {
  return (call, scene) => flowHit(scene, call.args[index], flows);
}

/** Flags the call whatever its arguments are. */
export function always(confidence: Confidence): () => Hit {
  return () => ({ confidence });
}

/** The value of a string literal without interpolation, also of a name that stands for one; else `null`. */
export function stringValue(scene: Scene, node: SgNode | null | undefined): string | null {
  if (node === null || node === undefined) return null;
  const known = scene.definition(node);
  const kind = known.kind();
  if (kind !== 'string' && kind !== 'template_string') return null;
  if (known.children().some((child) => child.kind() === 'template_substitution' || child.kind() === 'interpolation')) return null;
  return known.text().replace(/^[a-zA-Z]{0,2}(?:"""|'''|["'`])|(?:"""|'''|["'`])$/gu, '');
}

/** Whether a node is the literal false, 0 or None/null/undefined. */
export function isFalsy(node: SgNode | null): boolean {
  return node !== null && /^(?:false|False|0|null|None|undefined|["']0["'])$/u.test(node.text());
}

export function isTrue(node: SgNode | null): boolean {
  return node !== null && /^(?:true|True|1)$/u.test(node.text());
}

/** The text of the innermost function around a node, or of the file. */
export function functionText(node: SgNode, scene: Scene): string {
  const around = node.ancestors().find((a) => /function|method_definition|lambda/u.test(a.kind().toString()));
  return around === undefined ? scene.text : around.text();
}

/** The name that a value is given: the target of the assignment or the key of the entry around it, else the function's. */
export function purposeOf(node: SgNode): string {
  for (const around of node.ancestors()) {
    const kind = around.kind().toString();
    if (kind === 'arguments' || kind === 'argument_list') continue;
    const name = around.field('left') ?? around.field('name') ?? around.field('key') ?? around.field('property');
    if (/declarator|assignment|pair|field_definition|keyword_argument|function|method/u.test(kind) && name !== null) {
      return name.text().slice(0, 80);
    }
  }
  return '';
}

/** Whether the text has a placeholder's look: not a value that opens anything. */
export function looksLikePlaceholder(value: string): boolean {
  return /^$|example|placeholder|change.?me|your[_ -]|\bxxx+|^\*+$|<[^>]*>|\$\{|\{\{|^%|redacted|dummy|^(?:none|null|undefined|password|secret|token)$/iu.test(
    value,
  );
}

/** A literal credential in a place where one is used; empty and placeholder values do not count. */
export function literalSecretHit(scene: Scene, node: SgNode | null | undefined, minimum = 1): Hit | null {
  const value = stringValue(scene, node);
  if (value === null || value.length < minimum || looksLikePlaceholder(value)) return null;
  return { confidence: value.length >= 8 ? 'high' : 'medium', secret: value };
}
