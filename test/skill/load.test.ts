import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { findSkills, loadSkill, skillRoots } from '../../src/skill/load.ts';
import type { SkillRoot } from '../../src/skill/load.ts';
import { tempDir, writeFiles } from './skill-folder.ts';

const skill = (name: string, description = 'd'): string => `---\nname: ${name}\ndescription: ${description}\n---\nDo it.\n`;

/** Project, user and package in one temporary folder. */
async function places(files: Readonly<Record<string, string>>): Promise<{ base: string; roots: SkillRoot[] }> {
  const base = await tempDir();
  await writeFiles(base, files);
  const roots = skillRoots({ projectRoot: join(base, 'project'), home: join(base, 'home'), packageDir: join(base, 'package') });
  return { base, roots };
}

describe('skillRoots', () => {
  it('goes from the project to the user to the package', () => {
    expect(skillRoots({ projectRoot: '/p', home: '/h', packageDir: '/n' })).toEqual([
      { source: 'project', dir: join('/p', '.claude', 'skills') },
      { source: 'project', dir: join('/p', '.skillflow', 'skills') },
      { source: 'user', dir: join('/h', '.claude', 'skills') },
      { source: 'user', dir: join('/h', '.skillflow', 'skills') },
      { source: 'package', dir: join('/n', 'skills') },
    ]);
    expect(skillRoots({ projectRoot: '/p', home: null, packageDir: '/n' }).map((root) => root.source)).toEqual([
      'project',
      'project',
      'package',
    ]);
  });
});

describe('findSkills', () => {
  it('takes the first of a name and lists those it hides', async () => {
    const { base, roots } = await places({
      'package/skills/a/SKILL.md': skill('a', 'package'),
      'package/skills/z/SKILL.md': skill('z'),
      'home/.claude/skills/a/SKILL.md': skill('a', 'user'),
      'project/.skillflow/skills/a/SKILL.md': skill('a', 'project'),
      'project/.skillflow/skills/b/SKILL.md': skill('b'),
    });
    const skills = await findSkills({ roots });
    expect(skills.map(({ name, source, skill: read }) => [name, source, read?.description])).toEqual([
      ['a', 'project', 'project'],
      ['b', 'project', 'd'],
      ['z', 'package', 'd'],
    ]);
    expect(skills[0]?.shadows).toEqual([
      { source: 'user', dir: join(base, 'home/.claude/skills/a') },
      { source: 'package', dir: join(base, 'package/skills/a') },
    ]);
  });

  it('finds nothing where no root exists', async () => {
    expect(await findSkills(await places({}))).toEqual([]);
    expect(await findSkills({ roots: [] })).toEqual([]);
  });

  it('lists a broken skill with its diagnostics; it still hides others', async () => {
    const { roots } = await places({
      'project/.claude/skills/a/SKILL.md': 'nothing',
      'package/skills/a/SKILL.md': skill('a'),
      'package/skills/Bad_Name/SKILL.md': skill('Bad_Name'),
    });
    const skills = await findSkills({ roots });
    expect(skills.map(({ name, skill: read, diagnostics }) => [name, read, diagnostics[0]?.code])).toEqual([
      ['a', null, 'no_frontmatter'],
      ['Bad_Name', null, 'invalid_value'],
    ]);
    expect(skills[0]?.shadows.length).toBe(1);
  });

  it('passes over files, hidden folders and folders without SKILL.md', async () => {
    const { base, roots } = await places({
      'package/skills/README.md': 'x',
      'package/skills/.hidden/SKILL.md': skill('hidden'),
      'package/skills/shared/notes.md': 'x',
    });
    await symlink('nowhere', join(base, 'package/skills/lost'));
    await symlink('README.md', join(base, 'package/skills/file'));
    expect(await findSkills({ roots })).toEqual([]);
  });

  it("follows a link that is the skill's folder, and one that is the root", async () => {
    const { base, roots } = await places({ 'elsewhere/demo/SKILL.md': skill('linked'), 'package/skills/a/SKILL.md': skill('a') });
    await mkdir(join(base, 'project/.claude'), { recursive: true });
    await symlink(join(base, 'package/skills'), join(base, 'project/.claude/skills'));
    await symlink(join(base, 'elsewhere/demo'), join(base, 'package/skills/linked'));
    const skills = await findSkills({ roots });
    expect(skills.map(({ name, source, skill: read, shadows }) => [name, source, read?.name, shadows])).toEqual([
      ['a', 'project', 'a', []],
      ['linked', 'project', 'linked', []],
    ]);
  });

  it('tells of a root that is no folder', async () => {
    const { base, roots } = await places({ 'package/skills/a/SKILL.md': skill('a'), 'project/.claude/x': '' });
    const root = join(base, 'project/.claude/skills');
    await writeFile(root, 'x');
    const skills = await findSkills({ roots });
    expect(
      skills.map(({ name, skill: read, diagnostics }) => [name, read === null, diagnostics.map(({ code }) => code)]),
    ).toEqual([
      ['a', false, []],
      [root, true, ['unreadable_root']],
    ]);
  });

  it.skipIf(process.getuid?.() === 0)('tells of folders and files that may not be read', async () => {
    const { base, roots } = await places({
      'package/skills/a/SKILL.md': skill('a'),
      'home/.claude/skills/b/SKILL.md': skill('b'),
    });
    await chmod(join(base, 'package/skills/a/SKILL.md'), 0);
    await chmod(join(base, 'home/.claude/skills'), 0);
    const codes = (await findSkills({ roots })).map(({ diagnostics }) => diagnostics[0]?.code);
    await chmod(join(base, 'home/.claude/skills'), 0o700);
    expect(codes).toEqual(['unreadable', 'unreadable_root']);
  });

  it('is quick with 200 skills', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [
        [`package/skills/s${i}/SKILL.md`, skill(`s${i}`) + 'word '.repeat(1000)],
        [`package/skills/s${i}/swarm.yaml`, 'agents:\n  - type: a\n    capabilities: [secrets]\n'],
        [`package/skills/s${i}/references/more.md`, 'x'],
      ]).flatMap((entries) => entries.map((entry) => entry)),
    );
    const { roots } = await places(files);
    const started = performance.now();
    const skills = await findSkills({ roots });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(skills.length).toBe(200);
    expect(skills.every(({ skill: read }) => read?.swarm?.agents.length === 1)).toBe(true);
  });
});

describe('loadSkill', () => {
  it('reads the first of the name and knows what it hides', async () => {
    const { base, roots } = await places({
      'package/skills/a/SKILL.md': skill('a', 'package'),
      'home/.skillflow/skills/a/SKILL.md': skill('a', 'user'),
    });
    const found = await loadSkill('a', roots);
    expect(found).toMatchObject({ source: 'user', skill: { description: 'user' }, diagnostics: [] });
    expect(found.shadows).toEqual([{ source: 'package', dir: join(base, 'package/skills/a') }]);
  });

  it('finds the same as findSkills', async () => {
    const { roots } = await places({ 'package/skills/a/SKILL.md': skill('a'), 'package/skills/b/SKILL.md': 'broken' });
    for (const found of await findSkills({ roots })) expect(await loadSkill(found.name, roots)).toEqual(found);
  });

  it('names the nearest skills when there is none', async () => {
    const { roots } = await places({
      'package/skills/code-review-swarm/SKILL.md': skill('code-review-swarm'),
      'package/skills/deploy/SKILL.md': skill('deploy'),
    });
    const near = await loadSkill('code-reviw-swarm', roots).catch((error: unknown) => error);
    expect(near).toBeInstanceOf(NotFoundError);
    expect(near).toMatchObject({ hint: 'Did you mean code-review-swarm?' });
    await expect(loadSkill('code-review', roots)).rejects.toMatchObject({ hint: 'Did you mean code-review-swarm?' });
    await expect(loadSkill('qqq', roots)).rejects.toMatchObject({ hint: 'Known skills: code-review-swarm, deploy.' });
    await expect(loadSkill('qqq', [])).rejects.toMatchObject({ hint: 'No skills were found.' });
  });

  it.each(['../etc', 'a/b', 'a\\b', '/etc', '.', '..', '', 'A', 'a\0b', 'a b', '__proto__', '-a', 'a--b', 'a'.repeat(65)])(
    'refuses the name %j',
    async (name) => {
      const { roots } = await places({ 'package/skills/a/SKILL.md': skill('a') });
      await expect(loadSkill(name, roots)).rejects.toBeInstanceOf(InvalidInputError);
    },
  );
});
