import { z } from 'zod';
import { toSkillflowError } from '../errors.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { ToolContext } from './tool.ts';

const check = z.object({
  name: z.string(),
  status: z.enum(['ok', 'absent', 'failed']),
  detail: z.string(),
  /** What to do, when it is not ok. */
  hint: z.string().exactOptional(),
});
type Check = z.output<typeof check>;

async function attempt(name: string, probe: () => Promise<Omit<Check, 'name'>>): Promise<Check> {
  try {
    return { name, ...(await probe()) };
  } catch (thrown) {
    const error = toSkillflowError(thrown);
    return { name, status: 'failed', detail: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
}

function probes({ app, signal }: ToolContext): readonly Promise<Check>[] {
  return [
    attempt('database', async () => {
      const db = await app.database('read');
      if (db.path !== app.config.databasePath)
        return { status: 'absent', detail: `${app.config.databasePath} does not exist yet; the first write makes it` };
      const integrity = await db.integrity();
      return { status: integrity === 'ok' ? 'ok' : 'failed', detail: integrity === 'ok' ? db.path : integrity };
    }),
    attempt('git', async () => {
      const { code, stdout } = await app.runtime.exec('git', ['--version'], {
        cwd: app.config.projectRoot,
        signal,
        timeoutMs: 5000,
      });
      return { status: code === 0 ? 'ok' : 'failed', detail: stdout.toString('utf8').trim() };
    }),
    attempt('analyzers', async () => ({ status: 'ok', detail: (await app.capabilities()).join(', ') })),
    attempt('syntax trees', async () => {
      const missing = await app.missingParsers();
      if (missing.length === 0) return { status: 'ok', detail: 'JavaScript, TypeScript, Python' };
      return {
        status: 'absent',
        detail: missing.join('; '),
        hint: 'Code of this kind is reviewed without syntax trees: reinstall Skillflow on this platform.',
      };
    }),
    attempt('skills', async () => {
      const skills = await app.findSkills();
      const broken = skills.filter(({ skill }) => skill === null).map(({ name }) => name);
      const detail = `${skills.length} found`;
      if (broken.length === 0) return { status: 'ok', detail };
      return {
        status: 'failed',
        detail: `${detail}, with errors: ${broken.join(', ')}`,
        hint: `See skillflow skill ${broken[0]}.`,
      };
    }),
    attempt('model provider', async () => ({
      status: 'absent',
      detail: 'agents run on local analyzers; those that need a model are skipped, and reports say so',
    })),
  ];
}

const health = defineTool({
  name: 'health',
  description: 'Probes what Skillflow needs here: database, git, analyzers, skills.',
  input: z.strictObject({}),
  output: z.object({
    /** Whether nothing failed; what is absent is no failure. */
    ok: z.boolean(),
    version: z.string(),
    projectRoot: z.string(),
    rootSource: z.string(),
    readOnly: z.boolean(),
    checks: z.array(check),
  }),
  annotations: { readOnly: true, destructive: false, idempotent: true },
  cli: { command: ['health'] },
  handler: async (_input, context) => {
    const checks = await Promise.all(probes(context));
    const { config, version } = context.app;
    const { projectRoot, rootSource, readOnly } = config;
    return { ok: checks.every(({ status }) => status !== 'failed'), version, projectRoot, rootSource, readOnly, checks };
  },
  text: ({ version, projectRoot, rootSource, readOnly, checks }, style) => {
    const facts = fields(
      { skillflow: version, project: `${projectRoot} (by ${rootSource})`, mode: readOnly ? 'read-only' : null },
      style,
    );
    const rows = checks.map(({ name, status, detail, hint }) => [
      name,
      status,
      hint === undefined ? detail : `${detail}. ${hint}`,
    ]);
    return `${facts}\n\n${table(['check', 'status', 'detail'], rows, style)}`;
  },
});

export const healthTools = [health];
