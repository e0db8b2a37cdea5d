import * as z from 'zod';
import { toSkillflowError } from '../errors.ts';
import { NOT_CHECKED } from '../store/database.ts';
import type { Database } from '../store/database.ts';
import { iso } from './entry-output.ts';
import { embedderName } from './memory-embed.ts';
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

type Probe = Omit<Check, 'name'>;

/** What kind of database it is, whether it is encrypted, and how old a replica is. */
function describeDatabase(db: Database, encrypted: boolean): string {
  if (db.kind === 'file') return encrypted ? 'local file, encrypted' : 'local file, not encrypted';
  const state = db.replica?.();
  if (state === undefined) return 'server';
  const { syncedAtMs, problem, behindOwnWrites } = state;
  const parts = [
    `local replica of a server, ${syncedAtMs === null ? 'never synced' : `synced at ${iso(syncedAtMs)}`}`,
    ...(behindOwnWrites ? ['own writes are read from the server until the next sync'] : []),
    ...(problem === null ? [] : [`${problem}; reads come from the replica as it is, and writes fail`]),
  ];
  return parts.join('; ');
}

async function probeDatabase({ app }: ToolContext): Promise<Probe> {
  const { databasePath, databaseUrl, databaseKey } = app.config;
  const db = await app.database('read');
  if (db.kind === 'memory') {
    return { status: 'absent', detail: `there is no database at ${databaseUrl ?? databasePath} yet; the first write makes it` };
  }
  const integrity = await db.integrity();
  if (integrity !== 'ok' && integrity !== NOT_CHECKED) {
    return { status: 'failed', detail: integrity, hint: 'See skillflow memory doctor.' };
  }
  const about = describeDatabase(db, databaseKey !== null);
  const detail = `${db.path} (${about}${integrity === 'ok' ? '' : `; ${integrity}`})`;
  if ((db.replica?.().problem ?? null) === null) return { status: 'ok', detail };
  return { status: 'failed', detail, hint: 'Check SKILLFLOW_DB_URL, the network, and that the server runs.' };
}

async function probeEmbeddings({ app, signal }: ToolContext): Promise<Probe> {
  const embeddings = await app.embeddings();
  if (!embeddings.enabled) {
    return { status: 'absent', detail: 'off: search goes by words', hint: 'Set SKILLFLOW_EMBEDDING to have vectors as well.' };
  }
  const status = await embeddings.status();
  const detail = `${embedderName(status)}; ${status.embedded} contents embedded, ${status.pending} to do`;
  try {
    await app.probeEmbedder(signal);
  } catch (thrown) {
    const { message, hint } = toSkillflowError(thrown);
    const until = 'Search goes by words until it answers.';
    return { status: 'failed', detail: `${detail}; ${message}`, hint: hint === undefined ? until : `${until} ${hint}` };
  }
  return { status: 'ok', detail: status.problem === null ? detail : `${detail}; ${status.problem}` };
}

async function probeVectors({ app }: ToolContext): Promise<Probe> {
  const { tier, vectors, indexed, note } = await (await app.vectors()).status();
  if (tier === 'off') return { status: 'absent', detail: 'off, as embeddings are' };
  return { status: 'ok', detail: `${tier}: ${vectors} vectors, ${indexed} of them indexed${note === null ? '' : `; ${note}`}` };
}

/** Who could think; nothing is asked, and what costs money is used only where someone says so. */
async function probeProviders({ app }: ToolContext): Promise<Probe> {
  const paid = (await app.providers()).filter(({ name }) => name === 'anthropic' || name === 'claude-cli');
  const found = paid.flatMap((one) => (one.ready ? [`${one.name}: ${one.how}, used by --provider ${one.name}`] : []));
  const configured =
    app.config.provider === 'auto' ? [] : [`configured: ${app.config.provider} (${app.config.sources.provider})`];
  if (found.length > 0) return { status: 'ok', detail: [...configured, ...found].join('; ') };
  const none = 'none: agents run on local analyzers; those that need a model are skipped, and reports say so';
  return {
    status: 'absent',
    detail: [...configured, none].join('; '),
    hint: paid.flatMap((one) => (one.ready ? [] : [one.why])).join(' '),
  };
}

const TOOLS_LISTED = {
  all: 'all are listed',
  default: 'the usual ones are listed; lists, history, backup, cache, mail, swarm care and others with SKILLFLOW_MCP_TOOLS=all',
} as const;

function probes(context: ToolContext): readonly Promise<Check>[] {
  const { app, signal } = context;
  return [
    attempt('database', () => probeDatabase(context)),
    attempt('embeddings', () => probeEmbeddings(context)),
    attempt('vector index', () => probeVectors(context)),
    attempt('tools/list', async () => ({ status: 'ok', detail: TOOLS_LISTED[app.config.mcpTools] })),
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
    attempt('model provider', () => probeProviders(context)),
  ];
}

const health = defineTool({
  name: 'health',
  description: 'Probes what Skillflow needs here: database, vectors, git, analyzers, skills.',
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
