import { array, assert, boolean, integer, property, record, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandExample } from './expand-example.ts';
import { evidenceLine, redactSecrets } from '../../src/analysis/secrets-redact.ts';
import { redacted } from '../../src/printable.ts';
import { SECRET_RULES, scanSecrets } from '../../src/analysis/secrets-scan.ts';
import { entropy, isWordLike, whyPlaceholder } from '../../src/analysis/secrets-shape.ts';
import { secretFingerprint, secretsAnalyzer } from '../../src/analysis/secrets.ts';
import { sourceOf } from './source-of.ts';

const SEEDS = [1, 2, 3];

function pathFor(ruleId: string): string {
  return ruleId === 'secrets/config-credential' ? 'deploy/.env' : 'src/a.ts';
}

/** Eight characters in a row of a secret are enough to count as printed. */
function leaks(printed: string, secret: string): boolean {
  for (let i = 0; i + 8 <= secret.length; i += 1) if (printed.includes(secret.slice(i, i + 8))) return true;
  return false;
}

describe('rules for secrets', () => {
  it('are at least 25, with unique ids and examples of both kinds', () => {
    expect(SECRET_RULES.length).toBeGreaterThanOrEqual(25);
    expect(new Set(SECRET_RULES.map((rule) => rule.id)).size).toBe(SECRET_RULES.length);
    const lacking = SECRET_RULES.filter(
      (rule) => !/^secrets\/[a-z0-9-]+$/u.test(rule.id) || rule.bad.length === 0 || rule.good.length === 0,
    );
    expect(lacking.map((rule) => rule.id)).toEqual([]);
  });

  for (const rule of SECRET_RULES) {
    it(`${rule.id} reports its bad examples and prints nothing of them`, () => {
      const examples = rule.bad.flatMap((template) => SEEDS.map((seed) => expandExample(template, seed)));
      for (const { text, secrets } of examples) {
        const findings = secretsAnalyzer.analyze({ file: sourceOf(pathFor(rule.id), 'text'), text });
        expect({ text, rules: findings.map((finding) => finding.rule) }).toEqual({
          text,
          rules: expect.arrayContaining([rule.id]),
        });
        expect(secrets.filter((secret) => leaks(JSON.stringify(findings), secret))).toEqual([]);
        expect(findings.filter((finding) => finding.evidence.length > 400)).toEqual([]);
      }
    });

    it(`${rule.id} passes over its good examples`, () => {
      const texts = rule.good.flatMap((template) => SEEDS.map((seed) => expandExample(template, seed).text));
      expect(texts.filter((text) => scanSecrets(text, pathFor(rule.id)).length > 0)).toEqual([]);
    });
  }
});

describe('secretsAnalyzer', () => {
  const token = expandExample('gh{join}p_{alnum:36}', 7).text;

  it('finds secrets only on changed lines', () => {
    const text = `a\nconst t = "${token}";\nb\n`;
    const at = (start: number, end: number) =>
      secretsAnalyzer.analyze({ file: { ...sourceOf('src/a.js', 'javascript'), changed: [{ start, end }] }, text });
    expect(at(1, 1)).toEqual([]);
    expect(at(3, 3)).toEqual([]);
    expect(at(2, 2)).toHaveLength(1);
  });

  it('gives the place in lines and columns from 1, the end exclusive', () => {
    const [finding] = secretsAnalyzer.analyze({ file: sourceOf('src/a.js', 'javascript'), text: `x\n  "${token}"` });
    expect(finding?.range).toEqual({ startLine: 2, startColumn: 4, endLine: 2, endColumn: 4 + token.length });
  });

  it('keeps the id when the secret moves, and tells two places of one secret apart', () => {
    const ids = (text: string) => secretsAnalyzer.analyze({ file: sourceOf('src/a.js', 'text'), text }).map((f) => f.id);
    const [first] = ids(token);
    expect(ids(`\n\nsomething else\n   ${token}`)).toEqual([first]);
    expect(new Set(ids(`${token}\n${token}`)).size).toBe(2);
  });

  it('passes over lock files', () => {
    expect(secretsAnalyzer.accepts(sourceOf('a/package-lock.json', 'text'))).toBe(false);
    expect(secretsAnalyzer.accepts(sourceOf('a/package.json', 'text'))).toBe(true);
  });

  it('finds nothing in an empty text, and ends on texts made to be slow', () => {
    expect(secretsAnalyzer.analyze({ file: sourceOf('a.txt', 'text'), text: '' })).toEqual([]);
    const slow = `${'password'.repeat(4000)}\n${'a.'.repeat(50_000)}\n-----BEGIN PRIVATE KEY-----${' '.repeat(50_000)}\n${'://'.repeat(20_000)}`;
    expect(() => secretsAnalyzer.analyze({ file: sourceOf('a.txt', 'text'), text: slow })).not.toThrow();
  });

  it('never prints a planted secret, wherever it stands', () => {
    const planted = record({
      rule: integer({ min: 0, max: SECRET_RULES.length - 1 }),
      seed: integer({ min: 1, max: 1_000_000 }),
      before: string({ maxLength: 40 }),
      after: string({ maxLength: 40 }),
      wide: boolean(),
    });
    assert(
      property(array(planted, { minLength: 1, maxLength: 4 }), (plants) => {
        const parts = plants.map(({ rule, seed, before, after, wide }) => {
          const chosen = SECRET_RULES[rule];
          const { text, secrets } = expandExample(chosen?.bad[0] ?? '', seed);
          return { line: `${before}${wide ? ' '.repeat(3000) : ' '}${text} ${after}`, secrets };
        });
        const text = parts.map((part) => part.line).join('\n');
        const printed = JSON.stringify(secretsAnalyzer.analyze({ file: sourceOf('deploy/.env', 'text'), text }));
        const leaked = parts.flatMap((part) => part.secrets).filter((secret) => leaks(printed, secret));
        expect(leaked).toEqual([]);
      }),
      { seed: 20_251, numRuns: 150 },
    );
  });
});

describe('redaction', () => {
  it('shows at most four characters and the length', () => {
    expect(redacted('abcdefghijklmnopqrstuvwxyz')).toBe('abcd…(26 characters)');
    expect(redacted('abcd')).toBe('…(4 characters)');
    expect(redacted('')).toBe('…(0 characters)');
  });

  it('hides every example of every rule', () => {
    const examples = SECRET_RULES.flatMap((rule) => rule.bad.map((template) => expandExample(template, 11)));
    const shown = examples.filter(({ text, secrets }) => secrets.some((secret) => leaks(redactSecrets(text), secret)));
    expect(shown.map((example) => redactSecrets(example.text))).toEqual([]);
  });

  it('hides short values after a name of credentials, and leaves plain code alone', () => {
    expect(redactSecrets('login({ password: "hunter2" })')).not.toContain('hunter2');
    for (const line of [
      'subprocess.call("sshpass -p Wm46T8ygpn ssh " + host, shell=True)',
      "requests.get(u, auth=('admin', 'Wm46T8ygpn'), verify=False)",
      "eval(`login('admin', 'Wm46T8ygpn', ${req.body.x})`)",
      "const v0 = compute('Wm46T8ygpn', 0)",
    ]) {
      expect(redactSecrets(line)).not.toContain('Wm46T8ygpn');
    }
    expect(redactSecrets('exec("ls -la " + parseBase64String(x))')).toBe('exec("ls -la " + parseBase64String(x))');
    expect(redactSecrets('if (pass === "tiger-9") ok()')).not.toContain('tiger-9');
    const code = 'const rows = await pool.query(`SELECT * FROM products ORDER BY ${sort}`);';
    expect(redactSecrets(code)).toBe(code);
    expect(redactSecrets('token = random.randrange(sys.maxsize)')).toBe('token = random.randrange(sys.maxsize)');
  });

  it('cuts long lines around the place to 400 characters, hidden parts first', () => {
    const secret = expandExample('{alnum:60}', 3).text;
    const text = `${'x = 1; '.repeat(2000)}call("${secret}") ${'; y = 2'.repeat(2000)}`;
    const at = text.indexOf('call(');
    const line = evidenceLine(text, at, [{ start: at + 6, end: at + 66 }]);
    expect(line.length).toBeLessThanOrEqual(400);
    expect(line).toContain('call("');
    expect(leaks(line, secret)).toBe(false);
  });

  it('gives a fingerprint that is no part of the secret', () => {
    expect(secretFingerprint('abc')).toMatch(/^[0-9a-f]{16}$/u);
    expect(secretFingerprint('abc')).not.toBe(secretFingerprint('abd'));
  });
});

describe('the look of a value', () => {
  it('has entropy in bits a character', () => {
    expect(entropy('')).toBe(0);
    expect(entropy('aaaa')).toBe(0);
    expect(entropy('abcd')).toBe(2);
  });

  it.each([
    ['', 'it is empty'],
    ['${TOKEN}', 'it is filled in when the program runs'],
    ['<your key>', 'it is filled in when the program runs'],
    ['my-example-key', 'it has a word of placeholders'],
    ['XXXXXXXXXXXX', 'it has a word of placeholders'],
    ['aaaaaaaa1', 'it repeats characters'],
    ['k-0123456789', 'it counts up characters'],
  ])('%j is a placeholder: %s', (value, why) => {
    expect(whyPlaceholder(value)).toBe(why);
  });

  it('tells words from random texts', () => {
    expect(
      ['user_password_reset', 'getAccessToken', 'Password is required', 'application/json'].filter((words) => !isWordLike(words)),
    ).toEqual([]);
    for (const seed of SEEDS) expect(isWordLike(expandExample('{alnum:32}', seed).text)).toBe(false);
  });
});
