import * as z from 'zod';
import { printable } from '../printable.ts';
import type { Diagnostic, FoundSkill } from '../skill/skill.ts';
import { words } from './input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

const READS = { readOnly: true, destructive: false, idempotent: true } as const;
const sources = z.enum(['project', 'user', 'package']);
const diagnostic = z.object({
  severity: z.enum(['error', 'warning']),
  code: z.string(),
  message: z.string(),
  file: z.string(),
  line: z.number(),
  column: z.number(),
  hint: z.string().exactOptional(),
});
const place = z.object({ source: sources, dir: z.string() });

const listed = z.object({
  name: z.string(),
  description: z.string(),
  source: sources,
  /** Whether a swarm can run it (`skill_run`). */
  runnable: z.boolean(),
  /** Problems with its files; a skill with errors cannot be used. */
  errors: z.number(),
  warnings: z.number(),
  shadows: z.array(place),
});

function count(diagnostics: readonly Diagnostic[], severity: Diagnostic['severity']): number {
  return diagnostics.filter((entry) => entry.severity === severity).length;
}

function toListed({ name, source, skill, diagnostics, shadows }: FoundSkill): z.output<typeof listed> {
  return {
    name,
    description: skill?.description ?? '',
    source,
    runnable: skill?.swarm !== null && skill?.swarm !== undefined,
    errors: count(diagnostics, 'error'),
    warnings: count(diagnostics, 'warning'),
    shadows: [...shadows],
  };
}

function state({ errors, warnings, runnable, shadows }: z.output<typeof listed>): string {
  const parts = [
    errors > 0 ? `${errors} errors` : '',
    warnings > 0 ? `${warnings} warnings` : '',
    runnable ? 'runnable' : 'text only',
    shadows.length > 0 ? `hides ${shadows.map(({ source }) => source).join(', ')}` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const skillList = defineTool({
  name: 'skill_list',
  description: 'Lists the skills of this project, the user and the package, and which of them a swarm can run.',
  input: z.strictObject({}),
  output: z.object({ skills: z.array(listed) }),
  annotations: READS,
  cli: { command: ['skills'] },
  handler: async (_input, { app }) => ({ skills: (await app.findSkills()).map(toListed) }),
  text: ({ skills }, style) =>
    skills.length === 0
      ? 'There are no skills here.'
      : table(
          ['skill', 'from', 'state', 'description'],
          skills.map((skill) => [skill.name, skill.source, state(skill), skill.description]),
          style,
        ),
});

const agentOutput = z.object({ type: z.string(), count: z.number(), capabilities: z.array(z.string()) });

const skillShow = defineTool({
  name: 'skill_show',
  description: 'Shows one skill: its text, its swarm, and what is wrong with its files.',
  input: z.strictObject({ skill: words(200).describe('name') }),
  output: z.object({
    name: z.string(),
    source: sources,
    dir: z.string(),
    description: z.string(),
    version: z.string().nullable(),
    body: z.string(),
    swarm: z
      .object({
        topology: z.string(),
        decision: z.string(),
        quorum: z.number(),
        timeoutMs: z.number(),
        agents: z.array(agentOutput),
      })
      .nullable(),
    diagnostics: z.array(diagnostic),
    shadows: z.array(place),
  }),
  annotations: READS,
  listed: false,
  cli: { command: ['skill'], positional: ['skill'] },
  handler: async ({ skill: name }, { app }) => {
    const { source, dir, skill, diagnostics, shadows } = await app.findSkill(name);
    const swarm = skill?.swarm ?? null;
    return {
      name,
      source,
      dir,
      description: skill?.description ?? '',
      version: skill?.version ?? null,
      body: skill?.body ?? '',
      swarm:
        swarm === null
          ? null
          : {
              topology: swarm.topology,
              decision: swarm.decision.rule,
              quorum: swarm.decision.quorum,
              timeoutMs: swarm.timeoutMs,
              agents: swarm.agents.map(({ type, count: members, capabilities }) => ({
                type,
                count: members,
                capabilities: [...capabilities],
              })),
            },
      diagnostics: [...diagnostics],
      shadows: [...shadows],
    };
  },
  text: ({ name, source, dir, description, version, swarm, diagnostics, shadows }, style) => {
    const facts = fields(
      {
        skill: name,
        version,
        description,
        from: `${source}, ${dir}`,
        hides: shadows.length === 0 ? null : shadows.map((hidden) => hidden.dir).join(', '),
        swarm:
          swarm === null
            ? 'none: a text for Claude only'
            : `${swarm.topology}, decides by ${swarm.decision} (quorum ${swarm.quorum})`,
      },
      style,
    );
    const agents =
      swarm === null
        ? ''
        : `\n\n${table(
            ['agent', 'count', 'capabilities'],
            swarm.agents.map((agent) => [agent.type, String(agent.count), agent.capabilities.join(', ')]),
            style,
          )}`;
    const problems = diagnostics.map(
      ({ file, line, column, severity, message, hint }) =>
        `\n${printable(`${severity}: ${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`)}`,
    );
    return `${facts}${agents}${problems.length === 0 ? '' : `\n${problems.join('')}`}`;
  },
});

export const skillTools = [skillList, skillShow];
