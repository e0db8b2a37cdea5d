import { describe, expect, it } from 'vitest';
import { checkReferences } from '../../src/skill/references.ts';
import { brief, diagnose, skillFile } from './skill-folder.ts';

const check = (body: string): string[] =>
  checkReferences(body, 1, new Set(['.', 'a.md', 'references', 'references/b.md', 'with space.md'])).map(
    ({ severity, code, line, column }) => `${severity} ${code} ${line}:${column}`,
  );

describe('references', () => {
  it.each([
    '[x](../../etc/passwd)',
    '![x](../up.png)',
    '[x](references/../../up.md)',
    '[x](<../up.md>)',
    '[x](/etc/passwd)',
    '[x](//host/share)',
    '[x](~/.ssh/id_rsa)',
    '[x](file:///etc/passwd)',
    '[x](FILE:///etc/passwd)',
    '[x](file:a.md)',
    '[x](C:/Windows)',
    '[x](..\\..\\up.md)',
    '[x](%2e%2e/up.md)',
    '[x](..%2fup.md)',
    // The placeholder is Claude Code's, to be taken literally.
    ['[x](', '$', '{CLAUDE_SKILL_DIR}/../up.md)'].join(''),
    '[x](..#part)',
    '[x]: ../up.md',
    '<a href="../up.md">',
    "<img src='../up.png'>",
    'see file:///etc/passwd',
    '@../up.md',
    'read @/etc/passwd now',
    '@~/.bashrc',
  ])('%s leaves the folder', (body) => {
    expect(check(body).map((line) => line.split(' ').slice(0, 2).join(' '))).toContain('error reference_outside');
  });

  it.each([
    '[x](a.md)',
    '[x](./a.md#part)',
    '[x](references/)',
    '[x](references/../a.md)',
    '[x](references/b.md?raw "title")',
    '[x](with%20space.md)',
    ['[x](', '$', '{CLAUDE_SKILL_DIR}/a.md)'].join(''),
    '[x](#part)',
    '[x](https://example.org/../y)',
    '[x](mailto:a@example.org)',
    '`[x](../up.md)`',
    '```\n[x](../up.md)\n```',
    '~~~md\n[x](../up.md)\n```\n[x](../up.md)\n~~~',
    '@scope/package and a@b.c',
    'from .. to ../ in prose',
    '[x](%zz)'.replace('%zz', 'a.md'),
    '',
  ])('%j stays', (body) => {
    expect(check(body)).toEqual([]);
  });

  it('to files that do not exist are warnings', () => {
    expect(check('[x](b.md)\n\n  [y](references/c.md)')).toEqual([
      'warning reference_missing 1:5',
      'warning reference_missing 3:7',
    ]);
    expect(check('[x](%zz)')).toEqual(['warning reference_missing 1:5']);
  });

  it('after an unclosed fence are code', () => {
    expect(check('```\n[x](../up.md)')).toEqual([]);
  });

  it('are found once, at their place in the file', async () => {
    expect(brief(await diagnose(skillFile('', 'One\n\nSee [x](file:///etc/passwd).\n')))).toEqual([
      'error reference_outside 7:9',
    ]);
  });
});
