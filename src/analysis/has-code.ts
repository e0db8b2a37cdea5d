import type { SgNode } from '@ast-grep/napi';
import type { LanguageFamily } from './language.ts';

const JAVASCRIPT_FUNCTIONS = [
  'function_declaration',
  'generator_function_declaration',
  'function_expression',
  'generator_function',
  'arrow_function',
  'method_definition',
  'class_static_block',
];
const JAVASCRIPT_STEPS = new Set([
  'if_statement',
  'for_statement',
  'for_in_statement',
  'while_statement',
  'do_statement',
  'try_statement',
  'switch_statement',
  'statement_block',
  'labeled_statement',
]);

/** Whether an expression that stands by itself does something: calls, but for directives, exports and bare `require`. */
function actsInJavascript(statement: SgNode): boolean {
  const expression = statement.child(0);
  const kind = String(expression?.kind() ?? '');
  if (kind === 'call_expression') return expression?.field('function')?.text() !== 'require';
  return kind !== 'string' && kind !== 'assignment_expression';
}

function javascriptHasCode(root: SgNode): boolean {
  if (root.find({ rule: { any: JAVASCRIPT_FUNCTIONS.map((kind) => ({ kind })) } }) !== null) return true;
  return root.children().some((node) => {
    const kind = String(node.kind());
    return JAVASCRIPT_STEPS.has(kind) || (kind === 'expression_statement' && actsInJavascript(node));
  });
}

/** A function's body that is more than a docstring, `pass` and `...`: those declare only. */
function doesSomething(definition: SgNode): boolean {
  const statements = definition.field('body')?.children() ?? [];
  return statements.some((statement) => {
    const kind = String(statement.kind());
    if (kind === 'pass_statement' || kind === 'comment') return false;
    return kind !== 'expression_statement' || !['string', 'ellipsis'].includes(String(statement.child(0)?.kind() ?? ''));
  });
}

function actsInPython(node: SgNode): boolean {
  const kind = String(node.kind());
  if (kind === 'expression_statement') return String(node.child(0)?.kind() ?? '') === 'call';
  if (['for_statement', 'while_statement', 'with_statement'].includes(kind)) return true;
  return (kind === 'if_statement' || kind === 'try_statement') && node.find({ rule: { kind: 'call' } }) !== null;
}

function pythonHasCode(root: SgNode): boolean {
  if (root.find({ rule: { kind: 'lambda' } }) !== null) return true;
  if (root.findAll({ rule: { kind: 'function_definition' } }).some(doesSomething)) return true;
  return root.children().some(actsInPython);
}

/**
 * Whether a text has code of its own that a test could run: functions with bodies, or statements that do something when
 * the file is loaded. Types, constants, tables of data (`new Set([…])` among them) and re-exports are none.
 */
export function hasCode(family: LanguageFamily, root: SgNode): boolean {
  return family === 'javascript' ? javascriptHasCode(root) : pythonHasCode(root);
}
