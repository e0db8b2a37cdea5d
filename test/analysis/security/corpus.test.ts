import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { securityPatternsAnalyzer } from '../../../src/analysis/security/patterns.ts';
import { sourceOf } from '../source-of.ts';

const FOLDER = new URL('../../fixtures/security-corpus/', import.meta.url);

interface Score {
  readonly found: number;
  readonly vulnerable: number;
  readonly alarms: number;
  readonly harmless: number;
}

/** Lines after a comment that is only `vuln` or `ok` are labelled; a finding counts where it begins. */
function score(name: string): Score {
  const text = readFileSync(new URL(name, FOLDER), 'utf8');
  const file = sourceOf(`src/${name}`, name.endsWith('.py.txt') ? 'python' : 'jsx');
  const flagged = new Set(securityPatternsAnalyzer.analyze({ file, text }).map((finding) => finding.range.startLine));
  const lines = text.split('\n');
  const labelled = (label: string): number[] =>
    lines.flatMap((line, index) => (new RegExp(`^\\s*(?://|#) ${label}$`, 'u').test(line) ? [index + 2] : []));
  const [vulnerable, harmless] = [labelled('vuln'), labelled('ok')];
  return {
    found: vulnerable.filter((line) => flagged.has(line)).length,
    vulnerable: vulnerable.length,
    alarms: harmless.filter((line) => flagged.has(line)).length,
    harmless: harmless.length,
  };
}

describe('labelled code', () => {
  for (const name of readdirSync(FOLDER)) {
    it(`${name}: recall less the rate of false alarms is at least 0.9`, () => {
      const { found, vulnerable, alarms, harmless } = score(name);
      expect(vulnerable).toBeGreaterThan(10);
      expect(harmless).toBeGreaterThan(10);
      expect(found / vulnerable - alarms / harmless).toBeGreaterThanOrEqual(0.9);
    });
  }
});
