import { basename, join } from 'node:path';
import { InvalidInputError } from '../errors.ts';
import type { Note } from '../finding.ts';
import type { Diagnostic, FoundSkill, Skill, SwarmSpec } from '../skill/skill.ts';
import type { App } from '../tools/tool.ts';
import type { CreateAppOptions } from './options.ts';
import { rolesIn } from './thinkers.ts';

/** What is wrong with the files of roles in some folders. */
async function roleProblems(dirs: readonly string[]): Promise<readonly Diagnostic[]> {
  const { problems } = await (await rolesIn(dirs.map((dir) => ({ dir, required: false })))).list();
  return problems.map(({ line = 1, ...problem }) => ({ severity: 'warning', code: 'role', column: 1, line, ...problem }));
}

/** Throws where a role that the swarm asks for is there but cannot be read: no other is to work in its stead. */
async function checkRoles({ name, dir, swarm }: Skill, projectRoot: string): Promise<void> {
  if (swarm === null) return;
  const problems = await roleProblems([join(dir, 'roles'), join(projectRoot, '.skillflow', 'roles')]);
  if (problems.length === 0) return;
  const { normalType, roleNameOf } = await import('../agent/roles/aliases.ts');
  const asked = new Set(swarm.agents.flatMap(({ type }) => [type, normalType(type), roleNameOf(type)]));
  const bad = problems.find(({ file }) => asked.has(basename(file, '.md')));
  if (bad === undefined) return;
  throw new InvalidInputError(`a role of the skill ${name} has errors: ${bad.file}:${bad.line}: ${bad.message}`, {
    hint: `${bad.hint ?? 'Correct it.'} Nothing was begun.`,
  });
}

/** What stands in a skill's files and means nothing to its swarm: people think that it holds. */
function unheededIn(swarm: SwarmSpec | null, diagnostics: readonly Diagnostic[]): readonly Note[] {
  if (swarm === null) return [];
  return diagnostics
    .filter(({ code }) => code === 'unknown_key' || code === 'ignored_file')
    .map(({ file, line, message, hint }) => ({
      code: 'unheeded',
      message: `${basename(file)}:${line}: ${message}${hint === undefined ? '' : `; ${hint}`}`,
    }));
}

/** How the app finds skills. */
export function skills({ config, packageDir, runtime }: CreateAppOptions): Pick<App, 'findSkills' | 'findSkill' | 'loadSkill'> {
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
      return { ...found, diagnostics: [...found.diagnostics, ...(await roleProblems([join(found.dir, 'roles')]))] };
    },
    loadSkill: async (name) => {
      const { skill, source, diagnostics, dir } = await find(name);
      if (skill !== null) {
        await checkRoles(skill, config.projectRoot);
        const unheeded = unheededIn(skill.swarm, diagnostics);
        for (const { message } of unheeded) runtime.log('warn', `the skill ${name}: ${message}`);
        return { ...skill, source, unheeded };
      }
      const first = diagnostics.find(({ severity }) => severity === 'error');
      const where = first === undefined ? dir : `${first.file}:${first.line}:${first.column}: ${first.message}`;
      throw new InvalidInputError(`the skill ${name} has errors: ${where}`, {
        hint: `${first?.hint === undefined ? '' : `${first.hint} `}See all of them with \`skillflow skill ${name}\`.`,
      });
    },
  };
}
