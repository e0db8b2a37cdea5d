import type { SgNode } from '@ast-grep/napi';
import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import { abstain, confirm, type Judgement, reject } from './examine-files.ts';
import { describeKind, fileKind } from './file-kind.ts';
import { redactSecrets } from './secrets-redact.ts';
import { whyPlaceholder } from './secrets-shape.ts';
import type { Origin } from './security/origin.ts';
import { inspectFile } from './security/patterns.ts';
import {
  checkBefore,
  developmentGuard,
  functionAround,
  functionName,
  isExported,
  lineOf,
  whyUnreachable,
} from './security/place.ts';
import type { RuleHit } from './security/scan.ts';

interface Case {
  readonly hit: RuleHit;
  readonly file: SourceFile;
  readonly text: string;
  readonly root: SgNode;
}

/** Judges findings of the security patterns in one file; one judgement a finding, in order. */
export function judgePatterns(findings: readonly Finding[], file: SourceFile, text: string): readonly Judgement[] {
  if (findings.length === 0) return [];
  const hits = new Map(inspectFile({ file, text }).map(({ finding, hit }) => [finding.id, hit]));
  return findings.map((finding) => {
    const hit = hits.get(finding.id);
    return hit === undefined
      ? abstain(`the flagged code is no longer in ${file.path}`)
      : judge({ hit, file, text, root: hit.node.getRoot().root() });
  });
}

function judge(one: Case): Judgement {
  const { node } = one.hit;
  const dead = whyUnreachable(node);
  if (dead !== null) return reject(`the code on line ${lineOf(node)} never runs: ${dead}`);
  return (
    judgeFileKind(one) ??
    judgeGuard(one) ??
    (one.hit.hit.origin === undefined ? judgeSetting(one) : judgeOrigin(one, one.hit.hit.origin))
  );
}

/** Code of tests, benchmarks, examples and documents meets no outside input. A credential there must also look fake. */
function judgeFileKind({ hit, file }: Case): Judgement | null {
  const kind = fileKind(file.path);
  if (kind === 'source') return null;
  const { secret } = hit.hit;
  if (secret === undefined)
    return reject(`${file.path} is ${describeKind(kind)}: this matters only in code that runs in production`);
  const why = whyPlaceholder(secret) ?? (secret.length < 12 ? 'it is short' : null);
  return why === null
    ? abstain(`${file.path} is ${describeKind(kind)}, but the value on line ${lineOf(hit.node)} is not evidently fake`)
    : reject(`${file.path} is ${describeKind(kind)} and the value on line ${lineOf(hit.node)} is made up: ${why}`);
}

function judgeGuard({ hit }: Case): Judgement | null {
  const isSetting = hit.rule.productionOnly === true || hit.hit.origin === undefined;
  if (!isSetting) return null;
  const guard = developmentGuard(hit.node);
  if (guard === null) return null;
  return reject(`line ${lineOf(hit.node)} runs only in development: ${redactSecrets(guard.text().slice(0, 80))}`);
}

/**
 * A pattern without a value that could be followed: confirmed where the rule needs no more than that the code runs in
 * production; abstains where the purpose decides.
 */
function judgeSetting({ hit }: Case): Judgement {
  const line = lineOf(hit.node);
  if (hit.rule.productionOnly !== true)
    return abstain(`line ${line} has no value to follow, and the use decides whether it is dangerous`);
  const fn = functionAround(hit.node);
  const name = fn === null ? '' : functionName(fn);
  const where = fn === null ? 'at the top level' : name === '' ? 'in a function' : `in ${name}`;
  return confirm(`line ${line} applies ${where} of production code under no condition on the environment`);
}

function judgeOrigin(one: Case, origin: Origin): Judgement {
  const { node } = one.hit;
  const line = lineOf(node);
  const via = redactSecrets(origin.via);
  const check = checkBefore(node, namesIn(node, origin));
  if (check !== null)
    return reject(`the value is checked by ${check.check} on line ${check.line} before its use on line ${line}`);
  if (origin.kind === 'request') return confirm(`the value on line ${line} comes from ${via}, and nothing between checks it`);
  if (origin.kind === 'parameter') return judgeParameter(one, via, line);
  return abstain(`the value on line ${line} comes from ${via}, which is not followed`);
}

/** Names in the flagged code and in the source of its value, without the names of what is called. */
function namesIn(node: SgNode, origin: Origin): ReadonlySet<string> {
  const names = new Set<string>();
  for (const found of node.findAll({ rule: { kind: 'identifier' } })) {
    const isCallee = found.parent()?.field('function')?.id() === found.id();
    if (!isCallee) names.add(found.text());
  }
  const last = /([A-Za-z_$][\w$]*)\W*$/u.exec(origin.via)?.[1];
  if (last !== undefined) names.add(last);
  for (const common of ['req', 'request', 'res', 'response', 'self', 'ctx', 'os', 'fs', 'path']) names.delete(common);
  return names;
}

function judgeParameter({ hit, file, text, root }: Case, via: string, line: number): Judgement {
  const fn = functionAround(hit.node);
  if (fn === null) return confirm(`the value on line ${line} comes from the command line (${via})`);
  const name = functionName(fn);
  const isPython = file.language === 'python';
  if (/argv/u.test(via))
    return abstain(`the value on line ${line} comes from the command line, whose user may run commands anyway`);
  const calls = name === '' ? [] : callsOf(root, name, isPython);
  if (isExported(fn, text, isPython)) {
    return confirm(
      `the value on line ${line} is ${via}, a parameter of ${name === '' ? 'an exported function' : `${name}, which other files can call`}`,
    );
  }
  if (calls.length > 0 && calls.every((call) => hasConstantArguments(call))) {
    return reject(
      `${name} is not exported, and its ${calls.length === 1 ? 'one call passes' : `${calls.length} calls pass`} only constants`,
    );
  }
  return abstain(`the value on line ${line} is ${via}, a parameter of a function whose callers are not followed`);
}

function callsOf(root: SgNode, name: string, isPython: boolean): SgNode[] {
  return root
    .findAll({ rule: { kind: isPython ? 'call' : 'call_expression' } })
    .filter((call) => call.field('function')?.text() === name);
}

function hasConstantArguments(call: SgNode): boolean {
  const args = call.field('arguments')?.namedChildren() ?? [];
  return args.every(
    (arg) =>
      /^(?:string|number|integer|float|true|false|null|none)$/iu.test(arg.kind().toString()) && !/\$\{|^f["']/u.test(arg.text()),
  );
}
