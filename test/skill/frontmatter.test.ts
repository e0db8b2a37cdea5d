import { describe, expect, it } from 'vitest';
import { brief, diagnose, parseFiles, skillFile } from './skill-folder.ts';

describe('places', () => {
  const frontmatter = 'compatibility: 3\nmetadata:\n  a:\n    b: 1\nallowed-tools: 5\n';
  const expected = ['error invalid_value 4:16', 'error invalid_value 7:5', 'error invalid_value 8:16'];

  it('are lines and columns of the file', async () => {
    expect(brief(await diagnose(skillFile(frontmatter)))).toEqual(expected);
  });

  it('are the same with CR LF and a byte order mark', async () => {
    expect(brief(await diagnose(`\uFEFF${skillFile(frontmatter).replaceAll('\n', '\r\n')}`))).toEqual(expected);
  });

  it('are the same after a comment and an opening line with trailing spaces', async () => {
    const text = `---  \n${skillFile(frontmatter).slice(4)}`;
    expect(brief(await diagnose(text))).toEqual(expected);
  });

  it('point to the syntax error', async () => {
    expect(brief(await diagnose('---\nname: demo\ndescription: "open\n---\nx\n'))).toEqual(['error yaml_syntax 4:1']);
    expect(brief(await diagnose('---\nname: demo\ndescription: Use when: testing\n---\nx\n'))).toEqual([
      'error yaml_syntax 3:14',
    ]);
  });
});

it('accepts CR LF and a byte order mark', async () => {
  const { skill, diagnostics } = await parseFiles({
    'SKILL.md': `\uFEFF${skillFile('', 'One\n\nTwo\n').replaceAll('\n', '\r\n')}`,
  });
  expect(diagnostics).toEqual([]);
  expect(skill).toMatchObject({ name: 'demo', description: 'Use when testing.', body: 'One\r\n\r\nTwo\r\n' });
});

describe('keys', () => {
  it.each([
    ['name: demo', 'error missing_key 2:1'],
    ['description: d', 'error missing_key 2:1'],
    ['name: demo\ndescription:', 'error invalid_value 3:13'],
    ['name: demo\ndescription: " "', 'error invalid_value 3:14'],
    [`name: demo\ndescription: ${'x'.repeat(1025)}`, 'error invalid_value 3:14'],
    ['name: other\ndescription: d', 'error name_mismatch 2:7'],
    ['name: Demo\ndescription: d', 'error invalid_value 2:7'],
    ['name: de--mo\ndescription: d', 'error invalid_value 2:7'],
    [`name: ${'a'.repeat(65)}\ndescription: d`, 'error invalid_value 2:7'],
    ['name: 5\ndescription: d', 'error invalid_value 2:7'],
    [`name: demo\ndescription: d\ncompatibility: ${'x'.repeat(501)}`, 'error invalid_value 4:16'],
    ['name: demo\ndescription: d\nmetadata: [a]', 'error invalid_value 4:11'],
    ['name: demo\ndescription: d\ntriggers: x', 'error invalid_value 4:11'],
  ])('refuses %s', async (frontmatter, expected) => {
    expect(brief(await diagnose(`---\n${frontmatter}\n---\nx\n`))).toContain(expected);
  });

  it('has a description of up to 1,024 characters', async () => {
    expect(await diagnose(`---\nname: demo\ndescription: ${'x'.repeat(1024)}\n---\nx\n`)).toEqual([]);
  });

  it('that are unknown are ignored with a warning and the nearest known one', async () => {
    const text = skillFile('licence: MIT\ntopology: mesh\nzzz: 1\nagents:\n  - type: a\n    cuont: 3\n');
    const { skill, diagnostics } = await parseFiles({ 'SKILL.md': text });
    expect(skill?.swarm?.agents).toEqual([{ type: 'a', count: 1, capabilities: [] }]);
    expect(
      diagnostics.map(({ severity, code, line, column, hint }) => [severity, code, line, column, hint?.slice(0, 40)]),
    ).toEqual(
      expect.arrayContaining([
        ['warning', 'unknown_key', 4, 1, 'Did you mean "license"?'],
        ['warning', 'unknown_key', 5, 1, '"topology" belongs under coordination.'],
        ['warning', 'unknown_key', 6, 1, 'Known here: name, description, license, '],
        ['warning', 'unknown_key', 9, 5, 'Did you mean "count"?'],
      ]),
    );
    expect(diagnostics.length).toBe(4);
  });
});

describe('frontmatter that is none', () => {
  it.each([
    ['', 'error no_frontmatter 1:1'],
    ['# Title\n', 'error no_frontmatter 1:1'],
    ['\n---\nname: demo\n---\n', 'error no_frontmatter 1:1'],
    ['---', 'error frontmatter_open 1:1'],
    ['---\nname: demo\ndescription: d\n', 'error frontmatter_open 1:1'],
    ['---\nname: demo\n---- \n---\n', 'error frontmatter_open 3:1'],
    ['---\n---\nx\n', 'error not_a_mapping 1:1'],
    ['---\n# only a comment\n---\nx\n', 'error not_a_mapping 1:1'],
    ['---\n- name\n---\nx\n', 'error not_a_mapping 2:1'],
    ['---\ntext\n---\nx\n', 'error not_a_mapping 2:1'],
    ['---yaml\nname: demo\n---\nx\n', 'error frontmatter_language 1:1'],
    ['---json\n{"name": "demo"}\n---\nx\n', 'error frontmatter_language 1:1'],
    ['---toml\nname = "demo"\n---\nx\n', 'error frontmatter_language 1:1'],
    ['---constructor\nname: demo\n---\nx\n', 'error frontmatter_language 1:1'],
    ['----\nname: demo\n----\nx\n', 'error frontmatter_language 1:1'],
  ])('%j', async (text, expected) => {
    const { skill, diagnostics } = await parseFiles({ 'SKILL.md': text });
    expect(skill).toBeNull();
    expect(brief(diagnostics)).toContain(expected);
  });
});
