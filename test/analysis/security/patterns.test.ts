import { describe, expect, it } from 'vitest';
import { securityPatternsAnalyzer } from '../../../src/analysis/security/patterns.ts';
import { expandExample } from '../expand-example.ts';
import type { Language, LineRange } from '../../../src/changes.ts';
import { sourceOf } from '../source-of.ts';

function analyze(text: string, language: Language = 'javascript', changed: 'all' | readonly LineRange[] = 'all') {
  return securityPatternsAnalyzer.analyze({ file: { ...sourceOf('src/a', language), changed }, text });
}

describe('securityPatternsAnalyzer', () => {
  it('reports only changed lines, with ids that do not depend on them', () => {
    const text = 'function f(a) {\n  eval(a);\n  eval(a);\n}\n';
    const all = analyze(text);
    expect(all.map((finding) => finding.range.startLine)).toEqual([2, 3]);
    expect(all[0]?.id).not.toBe(all[1]?.id);
    expect(analyze(text, 'javascript', [{ start: 3, end: 3 }]).map((finding) => finding.id)).toEqual([all[1]?.id]);
    expect(analyze(text, 'javascript', [])).toEqual([]);
    expect(analyze(`\n\n${text}`).map((finding) => finding.id)).toEqual(all.map((finding) => finding.id));
  });

  it('says where the value comes from', () => {
    const [finding] = analyze('app.get("/", (req, res) => { const q = req.query.q; eval(q); });');
    expect(finding?.message).toContain('outside input: req.query.q');
    expect(finding?.confidence).toBe('high');
  });

  it('never prints a credential that it flags', () => {
    const { text, secrets } = expandExample(
      'const jwt = require("jsonwebtoken"); const k = "{word:30}"; jwt.sign(p, k); mysql.createConnection({ host: "a", password: "{lower:9}" });',
      5,
    );
    const findings = analyze(text);
    expect(findings.length).toBeGreaterThanOrEqual(2);
    for (const secret of secrets) expect(JSON.stringify(findings)).not.toContain(secret);
  });

  it('gives columns in UTF-16 units from 1', () => {
    const [finding] = analyze('const a = "😀é"; function f(b) { eval(b); }');
    expect(finding?.range.startColumn).toBe('const a = "😀é"; function f(b) { '.length + 1);
  });

  it.each<[string, Language]>([
    ['', 'javascript'],
    ['eval(', 'javascript'],
    ['}}}} ))) eval(x ] {{{{', 'typescript'],
    ['def f(:\n  eval(x\n\tos.system(y', 'python'],
    ['\u0000\u0001eval(\uD800)', 'tsx'],
    ['eval(a)', 'text'],
    [`${'('.repeat(3000)}eval(a)`, 'javascript'],
    [`x = ${'a + '.repeat(3000)}a; eval(x)`, 'javascript'],
    [`eval(${'f('.repeat(500)}${')'.repeat(500)})`, 'python'],
  ])('does not fail on %j as %s', (text, language) => {
    expect(() => analyze(text, language)).not.toThrow();
  });

  it('does not follow a name in circles', () => {
    expect(() => analyze('function f() { let a = b; let b = a; a = a + b; eval(a); }')).not.toThrow();
    expect(() => analyze('def f():\n  a = b\n  b = a\n  eval(a)\n', 'python')).not.toThrow();
  });
});

describe('dataflow', () => {
  const flagged = (body: string): boolean => analyze(body).some((finding) => finding.rule === 'security/js-command-injection');
  const head = 'const { exec } = require("child_process");\n';

  it.each([
    ['a constant', 'const c = "ls"; exec(c);'],
    ['a constant through several names', 'const a = "l"; const b = a + "s"; const c = `${b} -l`; exec(c);'],
    ['a choice of constants', 'function f(x) { const c = x ? "ls" : "pwd"; exec(c); }'],
    ['an overwritten value', 'function f(x) { let c = x; c = "ls"; exec(c); }'],
    ['a loop over constants', 'for (const c of ["a", "b"]) exec("npm run " + c);'],
    ['a callback over constants', '["a", "b"].forEach((c) => exec("npm run " + c));'],
    ['a number', 'function f(x) { exec("kill " + Number(x)); }'],
    ['a table of constants', 'const T = { a: "ls" }; function f(x) { exec(T[x]); }'],
    ['another function of this name', 'const m = /a/; function f(x) { m.exec(x); }'],
  ])('passes over %s', (_name, body) => {
    expect(flagged(head + body)).toBe(false);
  });

  it.each([
    ['a parameter', 'function f(x) { exec(x); }'],
    ['a parameter through names', 'function f(x) { const a = x.trim(); const b = `ls ${a}`; exec(b); }'],
    ['a value that is added', 'function f(x) { let c = "ls "; c += x; exec(c); }'],
    ['a value of one branch', 'function f(x) { let c = "ls"; if (x) { c = x; } exec(c); }'],
    ['a destructured request', 'app.get("/", ({ query }, res) => { const { c } = query; exec(c); });'],
    ['an outer name', 'function f(x) { return () => exec("ls " + x); }'],
    ['an aliased import', 'import { exec as run } from "node:child_process"; export const f = (x) => run(x);'],
  ])('follows %s', (_name, body) => {
    expect(flagged(head + body)).toBe(true);
  });
});
