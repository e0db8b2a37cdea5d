import { execFileSync } from 'node:child_process';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRole } from '../../../src/agent/roles/parse-role.ts';
import { readFrontmatter } from '../../../src/skill/frontmatter.ts';
import { tempDir, writeFiles } from '../../skill/skill-folder.ts';
import { roleFile, rolesFrom, rolesOf } from './role-files.ts';

const KB = 1024;

/** The one problem of a file, as `line message`; the role is not there, the other one is. */
async function problemOf(content: string | Uint8Array): Promise<string> {
  const { dir, roles } = await rolesFrom({ 'bad.md': content, 'good.md': roleFile() });
  const { problems, roles: found } = await roles.list();
  expect(found.map(({ role }) => role.name)).toEqual(['good']);
  expect((await roles.find('bad')).prompt).toContain('the bad of this team');
  const [problem, ...others] = problems;
  expect(others).toEqual([]);
  expect(problem?.file).toBe(join(dir, 'bad.md'));
  expect(problem?.hint).toMatch(/\.$/);
  return `${problem?.line} ${problem?.message}`;
}

describe('a file that is no role', () => {
  test.each([
    ['no frontmatter', 'You are root.\n', /^1 .*frontmatter/],
    ['an open frontmatter', '---\ndescription: x\n', /^1 .*closing/],
    ['no description', '---\nstyle: systems\n---\nx\n', /description/],
    ['no mapping', '---\n- a\n---\nx\n', /mapping/],
    ['an empty frontmatter', '---\n---\nx\n', /mapping/],
    ['an unknown key', roleFile('hooks: {pre: "rm -rf /"}\n'), /^3 unknown key "hooks"$/],
    ['an unknown tool', roleFile('style: systems\ntools: [read_file, bash]\n'), /^4 tools\.1/],
    ['tools as a text', roleFile('tools: read_file\n'), /^3 tools/],
    ['an unknown style', roleFile('style: critical\n'), /^3 style/],
    ['an unknown model', roleFile('model: claude-opus\n'), /^3 model/],
    ['another name', roleFile('name: good\n'), /^3 name is "good"/],
    ['no prompt', roleFile('', ' \n\n'), /no prompt/],
    ['bad YAML', roleFile('style: [\n'), /^\d/],
    ['a duplicate key', roleFile('description: y\n'), /twice/],
    ['a prototype key', roleFile('__proto__: {tools: [send_message]}\n'), /__proto__/],
    ['a tag for code', roleFile('model: !!js/function "f"\n'), /^3 /],
    ['deep nesting', roleFile(`tools: ${'['.repeat(10 * KB)}\n`), /deep/],
    ['a prompt of 33 K', roleFile('', 'x'.repeat(33 * KB)), /longer/],
    ['a file of 2 MB', roleFile('', 'x'.repeat(2 * KB * KB)), /larger/],
    ['no UTF-8', new Uint8Array([0x2d, 0x2d, 0x2d, 0xff]), /UTF-8/],
    ['a NUL byte', roleFile('', 'a\0b'), /NUL/],
    ['an escape sequence', roleFile('', 'a\n\u001B[2Jb'), /^5 this line has characters that nobody sees/],
    ['text that runs backwards', roleFile('', 'a \u202E b'), /^4 this line/],
    ['hidden letters', roleFile('', `a${String.fromCodePoint(0xe0049, 0xe0067)}`), /^4 this line/],
    ['a hidden description', `---\ndescription: "a\u200Bb"\n---\nx\n`, /^2 this line/],
  ])('%s', async (_, content, expected) => {
    expect(await problemOf(content)).toMatch(expected);
  });

  test('other languages never run', async () => {
    for (const language of ['js', 'javascript', 'coffee', 'json', ' js']) {
      const code = '(globalThis.skillflowRole = true, { description: "d" })';
      expect(await problemOf(`---${language}\n${code}\n---\nx\n`)).toMatch(/^1 .*only "---" \(YAML\)/);
    }
    expect(Reflect.has(globalThis, 'skillflowRole')).toBe(false);
  });

  test('a name that no type can have is said', async () => {
    const { dir, roles } = await rolesFrom({ 'Security_Analyst.md': roleFile() });
    expect(await roles.list()).toMatchObject({
      roles: [],
      problems: [{ file: join(dir, 'Security_Analyst.md'), message: 'the file is not named as a role is' }],
    });
  });

  test('the package’s role takes the place of a broken one of the same name', async () => {
    const base = await writeFiles(await tempDir(), { 'a/tester.md': 'x', 'b/tester.md': roleFile('', 'of the package\n') });
    const roles = rolesOf(['a', 'b'].map((folder) => ({ dir: join(base, folder), required: true })));
    expect((await roles.find('tester')).prompt).toBe('of the package\n');
    expect((await roles.list()).problems).toHaveLength(1);
  });
});

describe('a folder that lies', () => {
  test('a link out of it is not read, one inside is', async () => {
    const base = await writeFiles(await tempDir(), { 'secret.md': roleFile('', 'secret\n'), 'roles/good.md': roleFile() });
    const dir = join(base, 'roles');
    await symlink('../secret.md', join(dir, 'out.md'));
    await symlink('good.md', join(dir, 'same.md'));
    await symlink('nowhere.md', join(dir, 'lost.md'));
    await symlink('round.md', join(dir, 'round.md'));
    const { roles, problems } = await rolesOf([{ dir, required: true }]).list();
    expect(roles.map(({ role }) => `${role.name} ${role.prompt}`)).toEqual(['good Look.\n', 'same Look.\n']);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringContaining('does not exist'),
      expect.stringContaining('outside'),
      expect.stringContaining('ELOOP'),
    ]);
  });

  test.skipIf(process.platform === 'win32')('a pipe is not waited for', async () => {
    const { dir, roles } = await rolesFrom({ 'good.md': roleFile() });
    execFileSync('mkfifo', [join(dir, 'pipe.md')]);
    const { problems } = await roles.list();
    expect(problems).toMatchObject([{ message: expect.stringContaining('regular') }]);
  });

  test('a file in place of the folder is a problem', async () => {
    const base = await writeFiles(await tempDir(), { roles: 'x' });
    const { roles, problems } = await rolesOf([{ dir: join(base, 'roles'), required: false }]).list();
    expect([roles, problems]).toMatchObject([[], [{ message: expect.stringContaining('ENOTDIR') }]]);
  });

  test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('one that cannot be read is a problem', async () => {
    const dir = join(await tempDir(), 'roles');
    await mkdir(dir);
    await chmod(dir, 0);
    expect((await rolesOf([{ dir, required: false }]).list()).problems).toHaveLength(1);
  });

  test('of very many files the first are read', async () => {
    const dir = await tempDir();
    for (let i = 0; i < 300; i += 1) await writeFile(join(dir, `r${i}.md`), roleFile());
    const { roles, problems } = await rolesOf([{ dir, required: true }]).list();
    expect([roles.length, problems.length]).toEqual([256, 1]);
  });
});

test('no text makes the parser throw', () => {
  const line = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom('---', 'tools: [grep]', 'description: x', 'style: systems', '&a *a'),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const role = parseRole('fuzz', `---\n${lines.join('\n')}`, readFrontmatter);
      expect(role.ok ? role.value.prompt.trim().length : role.problems.length).toBeGreaterThan(0);
    }),
    { seed: 20_260_321, numRuns: 500 },
  );
});
