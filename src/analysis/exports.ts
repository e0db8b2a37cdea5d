import type { SgNode } from '@ast-grep/napi';
import type { Language } from '../changes.ts';
import type { SourceRange } from '../finding.ts';
import { hasCode } from './has-code.ts';
import { familyOf } from './language.ts';
import { nodeRange, parseSource } from './syntax.ts';

/** A function, class or value that other files can use. */
export interface ExportedName {
  readonly name: string;
  readonly range: SourceRange;
}

/** What a text exports, or why that is not known. */
export interface ExportReport {
  readonly names: readonly ExportedName[];
  /** Whether it has code that a test could run (see `hasCode`); `true` where that is not known. */
  readonly code: boolean;
  readonly unparsed?: string;
}

const DECLARATIONS = new Set([
  'function_declaration',
  'generator_function_declaration',
  'class_declaration',
  'abstract_class_declaration',
  'lexical_declaration',
  'variable_declaration',
]);

function declaredNames(declaration: SgNode): string[] {
  const own = declaration.field('name');
  if (own !== null) return [own.text()];
  return declaration
    .children()
    .filter((child) => child.kind() === 'variable_declarator')
    .map((child) => child.field('name')?.text() ?? '')
    .filter((name) => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name));
}

function withRange(node: SgNode, names: readonly string[]): ExportedName[] {
  return names.map((name) => ({ name, range: nodeRange(node) }));
}

/** Names of `export { a, b as c }` and `module.exports = { a }` stand for the declarations of the same file. */
function listedNames(root: SgNode): Set<string> {
  const listed = new Set<string>();
  for (const node of root.findAll({ rule: { kind: 'export_specifier' } })) {
    const name = node.field('name')?.text();
    if (name !== undefined) listed.add(name);
  }
  for (const node of root.findAll({
    rule: { kind: 'assignment_expression', has: { field: 'left', regex: '^(module\\.)?exports\\b' } },
  })) {
    const right = node.field('right');
    for (const word of (right?.text() ?? '').slice(0, 5000).match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? [])
      listed.add(word);
  }
  return listed;
}

function javascriptExports(root: SgNode): ExportedName[] {
  const listed = listedNames(root);
  return root.children().flatMap((node) => {
    if (node.kind() === 'export_statement') {
      const declaration = node.field('declaration');
      if (declaration !== null)
        return DECLARATIONS.has(String(declaration.kind())) ? withRange(node, declaredNames(declaration)) : [];
      return node.field('value') === null ? [] : withRange(node, ['default']);
    }
    if (!DECLARATIONS.has(String(node.kind()))) return [];
    return withRange(
      node,
      declaredNames(node).filter((name) => listed.has(name)),
    );
  });
}

function pythonExports(root: SgNode): ExportedName[] {
  return root.children().flatMap((node) => {
    const definition = node.kind() === 'decorated_definition' ? node.field('definition') : node;
    const kind = String(definition?.kind() ?? '');
    if (definition === null || (kind !== 'function_definition' && kind !== 'class_definition')) return [];
    return withRange(
      node,
      declaredNames(definition).filter((name) => !name.startsWith('_')),
    );
  });
}

/** The exported functions, classes and values that a text declares; types alone are none. Plain text exports nothing. */
export function exportedNames(language: Language, text: string): ExportReport {
  const family = familyOf(language);
  if (family === null) return { names: [], code: false };
  const parsed = parseSource(language, text);
  if (parsed.tree === null) return { names: [], code: true, unparsed: parsed.reason };
  const root = parsed.tree.root();
  const names = family === 'javascript' ? javascriptExports(root) : pythonExports(root);
  return { names, code: hasCode(family, root) };
}
