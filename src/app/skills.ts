import { InvalidInputError } from '../errors.ts';
import type { Skill } from '../skill/skill.ts';
import type { App } from '../tools/tool.ts';
import type { CreateAppOptions } from './options.ts';

/** How the app finds skills. */
export function skills({ config, packageDir }: CreateAppOptions): Pick<App, 'findSkills' | 'findSkill' | 'loadSkill'> {
  const load = async () => {
    const loader = await import('../skill/load.ts');
    return {
      loader,
      roots: loader.skillRoots({ projectRoot: config.projectRoot, home: config.home, packageDir }),
    };
  };
  const findSkill: App['findSkill'] = async (name) => {
    const { loader, roots } = await load();
    return loader.loadSkill(name, roots);
  };
  return {
    findSkills: async () => {
      const { loader, roots } = await load();
      return loader.findSkills({ roots });
    },
    findSkill,
    loadSkill: async (name): Promise<Skill> => {
      const { skill, diagnostics, dir } = await findSkill(name);
      if (skill !== null) return skill;
      const first = diagnostics.find(({ severity }) => severity === 'error');
      const where = first === undefined ? dir : `${first.file}:${first.line}:${first.column}: ${first.message}`;
      throw new InvalidInputError(`the skill ${name} has errors: ${where}`, {
        hint: `See all of them with skillflow skill ${name}.`,
      });
    },
  };
}
