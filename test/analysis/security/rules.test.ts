import { describe, expect, it } from 'vitest';
import { securityPatternsAnalyzer } from '../../../src/analysis/security/patterns.ts';
import type { SecurityRule } from '../../../src/analysis/security/rule.ts';
import { JAVASCRIPT_RULES, PYTHON_RULES, rulesOf } from '../../../src/analysis/security/rules.ts';
import { openScene, rulesFor, scanScene } from '../../../src/analysis/security/scan.ts';
import type { Language } from '../../../src/changes.ts';
import { sourceOf } from '../source-of.ts';

function isFlagged(rule: SecurityRule, language: Language, code: string): boolean {
  const parsed = openScene(language, 'src/a', code);
  return parsed !== null && scanScene(parsed, rulesFor([rule], code)).length > 0;
}

function usesJsx(code: string): boolean {
  return /(?:=>|return) </u.test(code);
}

/** Every language that the example can be read in. */
function languagesOf(rule: SecurityRule, code: string): readonly Language[] {
  if (rule.id.startsWith('security/py-')) return ['python'];
  return usesJsx(code) ? ['javascript', 'jsx', 'tsx'] : ['javascript', 'jsx', 'typescript', 'tsx'];
}

describe('security rules', () => {
  it('have unique ids of their family, weaknesses, and rules to yield to that exist', () => {
    const all = [...JAVASCRIPT_RULES, ...PYTHON_RULES];
    const ids = new Set(all.map((rule) => rule.id));
    expect(ids.size).toBe(all.length);
    for (const rule of JAVASCRIPT_RULES) expect(rule.id).toMatch(/^security\/js-[a-z0-9-]+$/u);
    for (const rule of PYTHON_RULES) expect(rule.id).toMatch(/^security\/py-[a-z0-9-]+$/u);
    const lacking = all.filter(
      (rule) =>
        rule.cwe.length === 0 ||
        !rule.cwe.every((cwe) => /^CWE-\d+$/u.test(cwe)) ||
        rule.yieldsTo?.every((id) => ids.has(id)) === false ||
        rule.bad.length === 0 ||
        rule.good.length === 0,
    );
    expect(lacking.map((rule) => rule.id)).toEqual([]);
    expect(rulesOf('text')).toEqual([]);
  });

  for (const rule of [...JAVASCRIPT_RULES, ...PYTHON_RULES]) {
    it(`${rule.id} flags its bad examples and no good one`, () => {
      const wrong = (examples: readonly string[], wanted: boolean): string[] =>
        examples.flatMap((code) =>
          languagesOf(rule, code)
            .filter((language) => isFlagged(rule, language, code) !== wanted)
            .map((language) => `${language}: ${code}`),
        );
      expect(wrong(rule.bad, true)).toEqual([]);
      expect(wrong(rule.good, false)).toEqual([]);
    });
  }

  it('write findings that fit the contract', () => {
    for (const rule of [...JAVASCRIPT_RULES, ...PYTHON_RULES]) {
      const language = rule.id.startsWith('security/py-') ? 'python' : 'jsx';
      const file = sourceOf('src/a', language);
      for (const finding of rule.bad.flatMap((text) => securityPatternsAnalyzer.analyze({ file, text }))) {
        expect(finding.id).toMatch(/^f_[0-9a-f]{16}$/u);
        expect(finding.evidence.length).toBeGreaterThan(0);
        expect(finding.evidence.length).toBeLessThanOrEqual(400);
        expect(finding.message).not.toContain('\n');
        expect(finding.range.startLine).toBeGreaterThan(0);
        expect(finding.capability).toBe('security-patterns');
      }
    }
  });
});
