import { join } from 'node:path';
import { InvalidInputError } from '../errors.ts';
import type { Diagnostic, FoundSkill, Skill } from '../skill/skill.ts';
import type { App } from '../tools/tool.ts';
import type { CreateAppOptions } from './options.ts';
import { rolesIn } from './thinkers.ts';

/** What is wrong with the files of a skill's own roles: another role stands in for such a one. */
async function roleProblems(skillDir: string): Promise<readonly Diagnostic[]> {
  const { problems } = await (await rolesIn([{ dir: join(skillDir, 'roles'), required: false }])).list();
  return problems.map(({ line = 1, ...problem }) => ({ severity: 'warning', code: 'role', column: 1, line, ...problem }));
}

/** How the app finds skills. */
export function skills({ config, packageDir }: CreateAppOptions): Pick<App, 'findSkills' | 'findSkill' | 'loadSkill'> {
  const load = async () => {
    const loader = await import('../skill/load.ts');
    return {
      loader,
      roots: loader.skillRoots({ projectRoot: config.projectRoot, home: config.home, packageDir }),
    };
  };
  const find = async (name: string): Promise<FoundSkill> => {
    const { loader, roots } = await load();
    return loader.loadSkill(name, roots);
  };
  return {
    findSkills: async () => {
      const { loader, roots } = await load();
      return loader.findSkills({ roots });
    },
    findSkill: async (name) => {
      const found = await find(name);
      return { ...found, diagnostics: [...found.diagnostics, ...(await roleProblems(found.dir))] };
    },
    loadSkill: async (name): Promise<Skill> => {
      const { skill, diagnostics, dir } = await find(name);
      if (skill !== null) return skill;
      const first = diagnostics.find(({ severity }) => severity === 'error');
      const where = first === undefined ? dir : `${first.file}:${first.line}:${first.column}: ${first.message}`;
      throw new InvalidInputError(`the skill ${name} has errors: ${where}`, {
        hint: `See all of them with skillflow skill ${name}.`,
      });
    },
  };
}
