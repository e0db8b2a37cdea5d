import type { SgNode } from '@ast-grep/napi';

const FUNCTION =
  /^(?:function_declaration|function_expression|arrow_function|method_definition|generator_function|generator_function_declaration|function_definition|lambda)$/u;
const STATEMENT_LIST = /^(?:statement_block|program|block|module|switch_case)$/u;
const LEAVES = /^(?:return_statement|throw_statement|raise_statement|break_statement|continue_statement)$/u;

/** The innermost function around a node, or `null` at the top level. */
export function functionAround(node: SgNode): SgNode | null {
  return node.ancestors().find((around) => FUNCTION.test(around.kind().toString())) ?? null;
}

/** The name of a function: its own, or of what it is assigned to; empty where it has none. */
export function functionName(fn: SgNode): string {
  const own = fn.field('name')?.text();
  if (own !== undefined) return own;
  const parent = fn.parent();
  const name = parent?.field('name') ?? parent?.field('left') ?? parent?.field('key');
  return name?.text().replace(/^.*\./su, '') ?? '';
}

/** Line from 1. */
export function lineOf(node: SgNode): number {
  return node.range().start.line + 1;
}

/** Why a node never runs, or `null`: it follows a return or throw in its block, or stands in `if (false)`. */
export function whyUnreachable(node: SgNode): string | null {
  let inner = node;
  for (const around of node.ancestors()) {
    const kind = around.kind().toString();
    if (FUNCTION.test(kind)) {
      inner = around;
      continue;
    }
    if (STATEMENT_LIST.test(kind)) {
      const before = around.namedChildren().filter((child) => child.range().end.index <= inner.range().start.index);
      const leave = before.find((child) => LEAVES.test(child.kind().toString()));
      if (leave !== undefined && kind !== 'switch_case')
        return `it follows the ${leave.text().split(/\W/u)[0] ?? 'return'} on line ${lineOf(leave)}`;
    }
    if (kind === 'if_statement' && /^\(?(?:false|False|0)\)?$/u.test(around.field('condition')?.text() ?? '')) {
      const taken = around.field('alternative');
      if (taken === null || !contains(taken, node)) return `the condition on line ${lineOf(around)} is never true`;
    }
    inner = around;
  }
  return null;
}

function contains(outer: SgNode, inner: SgNode): boolean {
  const a = outer.range();
  const b = inner.range();
  return a.start.index <= b.start.index && b.end.index <= a.end.index;
}

/** The condition that keeps a node to development or debugging, or `null`. */
export function developmentGuard(node: SgNode): SgNode | null {
  for (const around of node.ancestors()) {
    const kind = around.kind().toString();
    const condition = kind === 'if_statement' || kind === 'ternary_expression' ? around.field('condition') : null;
    if (condition === null || contains(condition, node)) continue;
    const text = condition.text();
    const production = /production|prod\b/iu.test(text);
    const negated = /!==|!=|\bnot\b|^\(?!/u.test(text);
    const alternative = around.field('alternative');
    const inElse = alternative !== null && contains(alternative, node);
    if (production && negated !== inElse) return condition;
    if (!production && /NODE_ENV|development|isDev|\bdev\b|debug|DEBUG|localhost|__DEV__/u.test(text) && !negated && !inElse)
      return condition;
  }
  return null;
}

/** Whether code outside the file can call a function: exported by name or as part of something exported. */
export function isExported(fn: SgNode, text: string, isPython: boolean): boolean {
  const name = functionName(fn);
  if (isPython) return name !== '' && !name.startsWith('_') && functionAround(fn) === null;
  if (fn.ancestors().some((around) => around.kind() === 'export_statement')) return true;
  const left = fn.parent()?.field('left')?.text() ?? '';
  if (/^(?:module\.)?exports\b/u.test(left)) return true;
  const owner =
    fn.kind() === 'method_definition'
      ? fn
          .ancestors()
          .find((a) => a.kind() === 'class_declaration')
          ?.field('name')
          ?.text()
      : name;
  if (owner === undefined || !/^[\w$]+$/u.test(owner)) return false;
  const escaped = owner.replaceAll('$', String.raw`\$`);
  return new RegExp(
    String.raw`export\s*(?:default\s+${escaped}\b|\{[^}]*\b${escaped}\b)|exports(?:\.${escaped}\b|\s*=\s*(?:${escaped}\b|\{[^}]*\b${escaped}\b))`,
    'u',
  ).test(text);
}

const CHECK =
  /\b(?:\w*(?:[vV]alid|[aA]llow|ALLOW|[wW]hitelist|[pP]ermit|[sS]afe|[cC]heck|[vV]erif|[sS]anit)\w*|includes|has|test|match|fullmatch|startsWith|startswith|endsWith|endswith|isinstance|isdigit|isalnum|indexOf|is_relative_to)\b|\btypeof\b|\bnot\s+in\b|\bin\s+[A-Z_]+\b/u;

/**
 * The check before a node, in its function, that leaves the function when one of these names does not pass it; `null`
 * where there is none. Only a condition that names a check counts, not every comparison.
 */
export function checkBefore(node: SgNode, names: ReadonlySet<string>): { readonly check: string; readonly line: number } | null {
  const fn = functionAround(node);
  if (fn === null) return null;
  const position = node.range().start.index;
  for (const branch of fn.findAll({ rule: { kind: 'if_statement' } })) {
    if (branch.range().start.index >= position) break;
    const condition = branch.field('condition');
    const found = condition === null ? null : CHECK.exec(condition.text());
    if (condition === null || found === null || !mentions(condition, names)) continue;
    const consequence = branch.field('consequence');
    const inside = consequence !== null && contains(consequence, node);
    const leaves = consequence !== null && /\b(?:return|throw|raise|abort|continue|exit)\b/u.test(consequence.text());
    if (inside || leaves) return { check: found[0], line: lineOf(branch) };
  }
  return null;
}

function mentions(condition: SgNode, names: ReadonlySet<string>): boolean {
  return [...condition.text().matchAll(/[A-Za-z_$][\w$]*/gu)].some(([name]) => names.has(name));
}
