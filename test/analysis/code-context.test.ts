import { describe, expect, it } from 'vitest';
import type { Examiner, TreeContext } from '../../src/analysis/analyzer.ts';
import { codeContextExaminer } from '../../src/analysis/code-context.ts';
import { fileKind } from '../../src/analysis/file-kind.ts';
import { secretsExaminer } from '../../src/analysis/secrets-examiner.ts';
import { expandExample } from './expand-example.ts';
import { secretsAnalyzer } from '../../src/analysis/secrets.ts';
import { securityPatternsExaminer } from '../../src/analysis/security/examiner.ts';
import { securityPatternsAnalyzer } from '../../src/analysis/security/patterns.ts';
import type { Language, SourceFile } from '../../src/changes.ts';
import type { Finding } from '../../src/finding.ts';
import { sourceOf } from './source-of.ts';

const TOKEN = expandExample('gh{join}p_{alnum:36}', 9).text;

function contextOf(files: readonly SourceFile[], signal = new AbortController().signal): TreeContext {
  return {
    changes: { root: '/nowhere', mode: 'files', base: null, git: null, files, skipped: [], notes: [] },
    signal,
    git: () => Promise.reject(new Error('no git here')),
    read: (file) => (file.text === undefined ? Promise.reject(new Error('gone')) : Promise.resolve(file.text)),
  };
}

/** The first finding of a text, and what an examiner says of it. */
async function vote(examiner: Examiner, path: string, language: Language, text: string, rule?: string) {
  const file = sourceOf(path, language, text);
  const found = [...secretsAnalyzer.analyze({ file, text }), ...securityPatternsAnalyzer.analyze({ file, text })];
  const finding = found.find((each) => rule === undefined || each.rule === rule);
  if (finding === undefined) throw new Error(`no finding in ${text}`);
  const [examination] = await examiner.examine([finding], contextOf([file]));
  expect(examination?.findingId).toBe(finding.id);
  expect(examination?.reason).not.toContain(TOKEN.slice(8, 20));
  return { vote: examination?.vote, reason: examination?.reason ?? '' };
}

describe('fileKind', () => {
  it.each([
    ['src/a.ts', 'source'],
    ['src/latest.ts', 'source'],
    ['src/contest/a.py', 'source'],
    ['test/a.ts', 'test'],
    ['src/a.spec.tsx', 'test'],
    ['pkg/test_a.py', 'test'],
    ['test/fixtures/a.js', 'fixture'],
    ['bench/a.ts', 'benchmark'],
    ['examples/a.js', 'example'],
    ['.env.example', 'example'],
    ['docs/a.md', 'documentation'],
    ['README.md', 'documentation'],
  ])('%s is %s', (path, kind) => {
    expect(fileKind(path)).toBe(kind);
  });
});

describe('codeContextExaminer on security patterns', () => {
  const judge = (path: string, text: string, language: Language = 'javascript') =>
    vote(codeContextExaminer, path, language, text);

  it('confirms outside input and names it', async () => {
    const { vote, reason } = await judge('src/a.js', 'app.get("/", (req, res) => {\n eval(req.query.code);\n});');
    expect(vote).toBe('confirm');
    expect(reason).toContain('req.query.code');
    expect(reason).toContain('line 2');
  });

  it('confirms a parameter of an exported function, abstains where callers are unknown', async () => {
    expect((await judge('src/a.js', 'export function run(code) { eval(code); }')).vote).toBe('confirm');
    expect((await judge('src/a.js', 'function run(code) { eval(code); }\nmodule.exports = { run };')).vote).toBe('confirm');
    expect((await judge('src/a.js', 'function run(code) { eval(code); }\nlist.map(run);')).vote).toBe('abstain');
    expect((await judge('src/a.py', 'def run(code):\n    eval(code)\n', 'python')).vote).toBe('confirm');
    expect((await judge('src/a.py', 'def _run(code):\n    eval(code)\n', 'python')).vote).toBe('abstain');
  });

  it('rejects a parameter that only gets constants', async () => {
    const { vote, reason } = await judge('src/a.js', 'function run(code) { eval(code); }\nrun("1 + 1");\nrun("2");');
    expect(vote).toBe('reject');
    expect(reason).toContain('2 calls');
  });

  it('abstains where the value is not followed', async () => {
    expect((await judge('src/a.js', 'eval(load());')).vote).toBe('abstain');
  });

  it.each([
    ['test/a.test.js', 'a test'],
    ['bench/a.js', 'a benchmark'],
    ['examples/a.js', 'an example'],
  ])('rejects in %s', async (path, kind) => {
    const { vote, reason } = await judge(path, 'export function run(code) { eval(code); }');
    expect(vote).toBe('reject');
    expect(reason).toContain(kind);
  });

  it('rejects code that never runs', async () => {
    expect((await judge('src/a.js', 'export function run(c) { return 1; eval(c); }')).reason).toContain('never runs');
    expect((await judge('src/a.js', 'export function run(c) { if (false) { eval(c); } }')).vote).toBe('reject');
    expect((await judge('src/a.py', 'def run(c):\n    raise X()\n    eval(c)\n', 'python')).vote).toBe('reject');
    expect((await judge('src/a.js', 'export function run(c) { if (c) { return 1; } eval(c); }')).vote).toBe('confirm');
  });

  it('rejects a value that a check stands before, with its name', async () => {
    const guarded = 'export function run(code) {\n  if (!isValidCode(code)) throw new Error("no");\n  eval(code);\n}';
    const { vote, reason } = await judge('src/a.js', guarded);
    expect(vote).toBe('reject');
    expect(reason).toContain('isValidCode');
    expect(reason).toContain('line 2');
    const other = 'export function run(code, n) {\n  if (!isValidCode(n)) throw new Error("no");\n  eval(code);\n}';
    expect((await judge('src/a.js', other)).vote).toBe('confirm');
    const python = 'def run(code):\n    if code not in ALLOWED:\n        raise ValueError()\n    eval(code)\n';
    expect((await judge('src/a.py', python, 'python')).vote).toBe('reject');
  });

  it('tells settings for development from settings for all', async () => {
    const off = 'const agent = new https.Agent({ rejectUnauthorized: false });';
    expect((await judge('src/a.js', off)).vote).toBe('confirm');
    expect((await judge('src/a.js', `if (process.env.NODE_ENV !== "production") {\n${off}\n}`)).vote).toBe('reject');
    expect((await judge('src/a.js', `if (process.env.NODE_ENV === "production") {\n${off}\n}`)).vote).toBe('confirm');
  });
});

describe('codeContextExaminer on secrets', () => {
  const judge = (path: string, text: string, language: Language = 'javascript') =>
    vote(codeContextExaminer, path, language, text);

  it('rejects in tests only what is evidently fake', async () => {
    expect((await judge('test/a.test.js', `const fakeToken = "${TOKEN}";`)).vote).toBe('reject');
    expect((await judge('test/a.test.js', `const t = "${TOKEN}";`)).vote).toBe('abstain');
  });

  it('confirms in configuration and where the value is used', async () => {
    expect((await judge('deploy/prod.yml', `token: ${TOKEN}`, 'text')).vote).toBe('confirm');
    const { vote, reason } = await judge('src/a.js', `const hub = "${TOKEN}";\n\nconnect(hub);`);
    expect(vote).toBe('confirm');
    expect(reason).toContain('line 3');
    expect((await judge('src/a.js', `"${TOKEN}"`)).vote).toBe('abstain');
  });
});

describe('securityPatternsExaminer', () => {
  const judge = (path: string, text: string, language: Language = 'javascript') =>
    vote(securityPatternsExaminer, path, language, text, 'secrets/github-token');

  it('confirms a literal that code passes on', async () => {
    expect((await judge('src/a.js', `login("${TOKEN}");`)).reason).toContain('login');
    expect((await judge('src/a.js', `const t = "${TOKEN}";`)).vote).toBe('confirm');
    expect((await judge('src/a.ts', `const t: string = \`${TOKEN}\`;`, 'typescript')).vote).toBe('confirm');
    expect((await judge('src/a.py', `connect(auth="${TOKEN}")\n`, 'python')).vote).toBe('confirm');
  });

  it('rejects prose that explains a format', async () => {
    expect((await judge('src/a.js', `// the token looks like ${TOKEN}\nf();`)).vote).toBe('reject');
    expect((await judge('src/a.py', `def f():\n    """Example: ${TOKEN}"""\n`, 'python')).vote).toBe('reject');
  });

  it('abstains elsewhere', async () => {
    expect((await judge('src/a.js', `// ${TOKEN}\nf();`)).vote).toBe('abstain');
    expect((await judge('a.yml', `a: ${TOKEN}`, 'text')).vote).toBe('abstain');
  });
});

describe('secretsExaminer', () => {
  const judge = (text: string, rule: string) => vote(secretsExaminer, 'src/a.js', 'javascript', text, rule);

  it('judges flagged literals by their looks', async () => {
    const sign = (key: string) => `const jwt = require("jsonwebtoken"); jwt.sign(p, "${key}");`;
    expect((await judge(sign('Tr0ub4dor-3x'), 'security/js-jwt-hardcoded-secret')).vote).toBe('confirm');
    expect((await judge(sign('aaaaaaaaaaaa'), 'security/js-jwt-hardcoded-secret')).vote).toBe('reject');
    expect((await judge(sign('cat'), 'security/js-jwt-hardcoded-secret')).vote).toBe('abstain');
    expect((await judge(sign(TOKEN), 'security/js-jwt-hardcoded-secret')).reason).toContain('GitHub token');
  });

  it('abstains from patterns without a credential', async () => {
    expect((await judge('function f(a) { eval(a); }', 'security/js-eval-dynamic')).vote).toBe('abstain');
  });
});

describe('all three examiners', () => {
  const foreign: Finding = {
    id: 'f_0123456789abcdef',
    rule: 'hotspots/churn',
    severity: 'low',
    confidence: 'low',
    capability: 'hotspots',
    file: 'src/a.js',
    range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 },
    message: 'm',
    evidence: 'e',
  };

  for (const examiner of [codeContextExaminer, secretsExaminer, securityPatternsExaminer]) {
    it(`${examiner.capability} abstains from what it knows nothing about`, async () => {
      expect(await examiner.examine([], contextOf([]))).toEqual([]);
      const about = (capability: string): Finding => ({ ...foreign, capability, id: `f_${capability}` });
      const findings = ['hotspots', 'clones', 'test-gaps', 'secrets', 'security-patterns'].map((capability) => about(capability));
      const votes = await examiner.examine(findings, contextOf([]));
      expect(votes.map((each) => each.findingId)).toEqual(findings.map((each) => each.id));
      expect(new Set(votes.map((each) => each.vote))).toEqual(new Set(['abstain']));
      expect(votes[0]?.reason).toBe('no evidence of its own about hotspots findings');
    });

    it(`${examiner.capability} abstains where the file cannot be read or has changed`, async () => {
      const findings = (['secrets', 'security-patterns'] as const).map((capability) => ({
        ...foreign,
        capability,
        id: `f_${capability}`,
      }));
      const gone = await examiner.examine(findings, contextOf([sourceOf('src/a.js', 'javascript')]));
      expect(gone.every((each) => each.vote === 'abstain')).toBe(true);
      const other = await examiner.examine(findings, contextOf([sourceOf('src/a.js', 'javascript', 'f();')]));
      expect(other.every((each) => each.vote === 'abstain')).toBe(true);
    });
  }
});
