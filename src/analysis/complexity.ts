import type { SgNode } from '@ast-grep/napi';
import type { Language } from '../changes.ts';
import type { SourceRange } from '../finding.ts';
import { type LanguageFamily, familyOf } from './language.ts';
import { nodeRange, parseSource } from './syntax.ts';

export interface FunctionComplexity {
  /** The declared name, or that of the variable, property or field which holds it; `(anonymous)` otherwise. */
  readonly name: string;
  readonly range: SourceRange;
  /** The first line of the function, trimmed, at most 200 characters. */
  readonly header: string;
  /** From 1. */
  readonly complexity: number;
}

/** The functions of one text, or why there is no answer. */
export interface ComplexityReport {
  readonly functions: readonly FunctionComplexity[];
  readonly unparsed?: string;
}

const FUNCTIONS: Readonly<Record<LanguageFamily, readonly string[]>> = {
  javascript: [
    'function_declaration',
    'function_expression',
    'generator_function',
    'generator_function_declaration',
    'arrow_function',
    'method_definition',
  ],
  python: ['function_definition'],
};

const DECISIONS: Readonly<Record<LanguageFamily, readonly string[]>> = {
  javascript: [
    'if_statement',
    'for_statement',
    'for_in_statement',
    'while_statement',
    'do_statement',
    'switch_case',
    'catch_clause',
    'ternary_expression',
  ],
  python: [
    'if_statement',
    'elif_clause',
    'for_statement',
    'while_statement',
    'except_clause',
    'case_clause',
    'conditional_expression',
    'boolean_operator',
    'for_in_clause',
    'if_clause',
  ],
};

const SHORT_CIRCUIT = { kind: 'binary_expression', has: { field: 'operator', regex: '^(&&|\\|\\||\\?\\?)$' } } as const;

function decisionsIn(root: SgNode, family: LanguageFamily): SgNode[] {
  const kinds = DECISIONS[family].map((kind) => ({ kind }));
  return root.findAll({ rule: { any: family === 'javascript' ? [...kinds, SHORT_CIRCUIT] : kinds } });
}

const NAMED_HOLDERS = new Set([
  'variable_declarator',
  'pair',
  'public_field_definition',
  'field_definition',
  'assignment_expression',
]);

function nameOf(node: SgNode): string {
  const own = node.field('name');
  if (own !== null) return own.text();
  const holder = node.parent();
  if (holder === null || !NAMED_HOLDERS.has(String(holder.kind()))) return '(anonymous)';
  const name = holder.field('name') ?? holder.field('key') ?? holder.field('property') ?? holder.field('left');
  return name === null ? '(anonymous)' : name.text().slice(0, 80);
}

/** Where each function's own decisions are counted: the innermost function around them. */
function countDecisions(functions: readonly SgNode[], decisions: readonly SgNode[]): number[] {
  const spans = functions.map((node) => node.range());
  const counts = functions.map(() => 1);
  const points = decisions.map((node) => node.range().start.index).sort((a, b) => a - b);
  const open: number[] = [];
  let next = 0;
  for (const point of points) {
    for (; next < spans.length && (spans[next]?.start.index ?? 0) <= point; next += 1) open.push(next);
    while (open.length > 0 && (spans[open.at(-1) ?? 0]?.end.index ?? 0) <= point) open.pop();
    const inner = open.at(-1);
    if (inner !== undefined) counts[inner] = (counts[inner] ?? 1) + 1;
  }
  return counts;
}

/**
 * Cyclomatic complexity of every function: 1 + its branches (if, loops, cases, catches, conditional expressions,
 * short-circuit operators; in Python also comprehension clauses). A default case adds nothing in JavaScript; `case _`
 * counts in Python. A function inside another counts for itself alone. Source: T. J. McCabe, "A Complexity Measure",
 * IEEE TSE 2(4), 1976, counted as decision points + 1. Plain text has no functions.
 */
export function functionComplexity(language: Language, text: string): ComplexityReport {
  const family = familyOf(language);
  if (family === null) return { functions: [] };
  const parsed = parseSource(language, text);
  if (parsed.tree === null) return { functions: [], unparsed: parsed.reason };
  const root = parsed.tree.root();
  const functions = root
    .findAll({ rule: { any: FUNCTIONS[family].map((kind) => ({ kind })) } })
    .sort((a, b) => a.range().start.index - b.range().start.index);
  const counts = countDecisions(functions, decisionsIn(root, family));
  return {
    functions: functions.map((node, i) => ({
      name: nameOf(node),
      range: nodeRange(node),
      header: (node.text().split('\n', 1)[0] ?? '').trim().slice(0, 200),
      complexity: counts[i] ?? 1,
    })),
  };
}
