import type { SgNode } from '@ast-grep/napi';
import type { SourceFile } from '../../changes.ts';
import type { Finding } from '../../finding.ts';
import type { Examiner } from '../analyzer.ts';
import { abstain, confirm, examineFiles, type Judgement, reject } from '../examine-files.ts';
import { redactSecrets } from '../secrets-redact.ts';
import { parseSource } from '../syntax.ts';

const EXPLAINS = /e\.g\.|example|for instance|such as|looks? like|format|of the form|usage|sample|::|>>>|RFC\s*\d/iu;
const PASSES_ON =
  /^(?:parenthesized_expression|as_expression|satisfies_expression|non_null_expression|template_string|await_expression|await|concatenated_string|binary_expression|binary_operator|string|string_fragment|string_content|boolean_operator|ternary_expression|conditional_expression)$/u;

/** The smallest node that holds a position (line and column from 0), or the root. */
function nodeAt(root: SgNode, line: number, column: number): SgNode {
  let found = root;
  for (;;) {
    const inner = found.children().find((child) => {
      const { start, end } = child.range();
      const begins = start.line < line || (start.line === line && start.column <= column);
      return begins && (end.line > line || (end.line === line && end.column > column));
    });
    if (inner === undefined) return found;
    found = inner;
  }
}

function isDocstring(node: SgNode): boolean {
  const string = node.kind() === 'string' ? node : node.ancestors().find((around) => around.kind() === 'string');
  return string?.parent()?.kind() === 'expression_statement';
}

function name(text: string | undefined): string {
  return redactSecrets((text ?? '').replace(/\s+/gu, ' ').slice(0, 60));
}

/** What becomes of a literal: the first call, assignment, entry or comparison around it. */
function useOf(node: SgNode, line: number): Judgement {
  for (const around of node.ancestors()) {
    const kind = around.kind().toString();
    if (PASSES_ON.test(kind)) {
      if (/===?|!==?/u.test(around.field('operator')?.text() ?? ''))
        return confirm(`line ${line} compares a value with the literal`);
      continue;
    }
    if (kind === 'arguments' || kind === 'argument_list') {
      const callee = around.parent()?.field('function') ?? around.parent()?.field('constructor');
      return confirm(`line ${line} passes the literal to ${name(callee?.text())}`);
    }
    const target = around.field('left') ?? around.field('name') ?? around.field('key') ?? around.field('property');
    if (target !== null && /declarator|assignment|pair|keyword_argument|field_definition|parameter/u.test(kind)) {
      return confirm(`line ${line} gives the literal to ${name(target.text())}`);
    }
    return abstain(`line ${line} holds the literal in a ${kind.replaceAll('_', ' ')}: what becomes of it is not visible here`);
  }
  return abstain(`line ${line} holds the literal at the top of the file`);
}

function judge(finding: Finding, root: SgNode): Judgement {
  const { startLine, startColumn } = finding.range;
  const node = nodeAt(root, startLine - 1, startColumn - 1);
  const comment = [node, ...node.ancestors()].find((around) => around.kind() === 'comment');
  const prose = comment ?? (isDocstring(node) ? node : undefined);
  if (prose !== undefined) {
    const kind = comment === undefined ? 'docstring' : 'comment';
    const near = `${prose.prev()?.kind() === 'comment' ? (prose.prev()?.text() ?? '') : ''} ${prose.text()}`;
    return EXPLAINS.test(near)
      ? reject(`line ${startLine} is in a ${kind} that explains a format`)
      : abstain(`line ${startLine} is in a ${kind}: the syntax does not tell whether the value is live`);
  }
  if (!/string|template/u.test(node.kind().toString()) && !node.ancestors().some((a) => /string/u.test(a.kind().toString()))) {
    return abstain(`line ${startLine} holds no string literal`);
  }
  return useOf(node, startLine);
}

function judgeAll(findings: readonly Finding[], file: SourceFile, text: string): readonly Judgement[] {
  const parsed = parseSource(file.language, text);
  if (parsed.tree === null) return findings.map(() => abstain(`${file.path} has no syntax tree: ${parsed.reason}`));
  const root = parsed.tree.root();
  return findings.map((finding) => judge(finding, root));
}

/**
 * The opinion of the security patterns on secrets, from the syntax: a literal that code passes on is confirmed, one in
 * prose that explains a format is rejected; it abstains elsewhere and for files without a parser.
 */
export const securityPatternsExaminer: Examiner = {
  capability: 'security-patterns',
  examine: (findings, context) => examineFiles(findings, context, ['secrets'], judgeAll),
};
