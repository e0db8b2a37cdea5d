import type { SgNode } from '@ast-grep/napi';
import type { Language } from '../../changes.ts';
import type { Assignment, Call, Entry } from './rule.ts';

/** Kinds of nodes in a language's grammar, by what rules see them as. */
export interface ViewKinds {
  readonly calls: readonly string[];
  readonly assignments: readonly string[];
  readonly entries: readonly string[];
  /** Kinds that rules may name for this family and that this grammar lacks. */
  readonly absent: readonly string[];
}

const JAVASCRIPT: ViewKinds = {
  calls: ['call_expression', 'new_expression'],
  assignments: ['variable_declarator', 'assignment_expression', 'augmented_assignment_expression', 'field_definition'],
  entries: ['pair'],
  absent: [],
};
const TSX: ViewKinds = {
  ...JAVASCRIPT,
  assignments: ['variable_declarator', 'assignment_expression', 'augmented_assignment_expression', 'public_field_definition'],
};
const PYTHON: ViewKinds = {
  calls: ['call'],
  assignments: ['assignment', 'augmented_assignment'],
  entries: ['pair', 'keyword_argument'],
  absent: [],
};

/** The kinds of each language; plain text has none. */
export const VIEW_KINDS: Readonly<Record<Language, ViewKinds>> = {
  javascript: JAVASCRIPT,
  jsx: JAVASCRIPT,
  typescript: { ...TSX, absent: ['jsx_attribute'] },
  tsx: TSX,
  python: PYTHON,
  text: { calls: [], assignments: [], entries: [], absent: [] },
};

/** A name as written without white space and optional chaining; only its last 200 characters matter to a rule. */
function dotted(node: SgNode): string {
  const text = node.text().replace(/\?\./gu, '.').replace(/\s+/gu, '');
  return text.replace(/^require\(['"](?:node:)?([^'"]+)['"]\)/u, '$1');
}

/** The text of a literal key or name without quotes and brackets. */
function unquote(text: string): string {
  return text.replace(/^[[\]'"`]+|[[\]'"`]+$/gu, '');
}

function lastSegment(target: string): string {
  const subscript = /\[['"]([\w$-]+)['"]\]$/u.exec(target);
  if (subscript !== null) return subscript[1] ?? '';
  return /([\w$#]+)$/u.exec(target)?.[1]?.replace(/^#/u, '') ?? '';
}

function entryOf(parent: SgNode, name: string): SgNode | null {
  for (const child of parent.namedChildren()) {
    if (child.kind() === 'pair' && unquote(child.field('key')?.text() ?? '') === name) return child.field('value');
  }
  return null;
}

function option(args: readonly SgNode[], all: readonly SgNode[], name: string): SgNode | null {
  for (const arg of all) {
    if (arg.kind() === 'keyword_argument' && arg.field('name')?.text() === name) return arg.field('value');
  }
  for (const arg of args) {
    if (arg.kind() !== 'object') continue;
    const value = entryOf(arg, name);
    if (value !== null) return value;
  }
  return null;
}

/** A call node seen as a {@link Call}; `null` where it calls nothing that has a name. */
export function viewCall(node: SgNode, canonical: (name: string) => string): Call | null {
  const fn = node.field('function') ?? node.field('constructor');
  if (fn === null) return null;
  const callee = canonical(dotted(fn));
  let known: { readonly all: readonly SgNode[]; readonly args: readonly SgNode[] } | undefined;
  const read = (): { readonly all: readonly SgNode[]; readonly args: readonly SgNode[] } => {
    if (known === undefined) {
      const list = node.field('arguments');
      const all = list === null ? [] : list.kind() === 'template_string' ? [list] : list.namedChildren();
      const real = all.filter((arg) => arg.kind() !== 'comment');
      known = { all: real, args: real.filter((arg) => arg.kind() !== 'keyword_argument') };
    }
    return known;
  };
  return {
    node,
    callee,
    name: /([\w$]+)$/u.exec(callee)?.[1] ?? '',
    isNew: node.kind() === 'new_expression',
    get args() {
      return read().args;
    },
    get receiver() {
      return fn.field('object');
    },
    option: (name) => option(read().args, read().all, name),
  };
}

/** An assigning node as an {@link Assignment}; `null` where it has no value. */
export function viewAssignment(node: SgNode): Assignment | null {
  const left = node.field('left') ?? node.field('name') ?? node.field('property');
  const value = node.field('right') ?? node.field('value');
  if (left === null || value === null) return null;
  const target = left.text().replace(/\s+/gu, '');
  return { node, target, name: lastSegment(target), value };
}

/** A pair or keyword argument as an {@link Entry}. */
export function viewEntry(node: SgNode): Entry | null {
  const key = node.field('key') ?? node.field('name');
  const value = node.field('value');
  return key === null || value === null ? null : { node, key: unquote(key.text()), value };
}
