import * as z from 'zod';
import { KEBAB, swarmKeys, swarmShape } from './swarm-schema.ts';

const name = z
  .string()
  .min(1)
  .max(64)
  .regex(KEBAB, { error: 'expected lower-case letters, digits and single hyphens, e.g. code-review' });

const words = z.array(z.string().trim().min(1).max(1024)).max(64);
const anything = z.unknown().optional();

/** Keys of Claude Code beyond the Agent Skills spec; it reads them itself, so they only have to be known here. */
const claudeCode = {
  when_to_use: anything,
  'argument-hint': anything,
  model: anything,
  effort: anything,
  'disallowed-tools': anything,
  'disable-model-invocation': anything,
  'user-invocable': anything,
  paths: anything,
  hooks: anything,
  context: anything,
  agent: anything,
  background: anything,
} as const;

const shape = {
  name: name.nullish(),
  description: z.string().trim().min(1).max(1024),
  license: z.string().max(1024).nullish(),
  compatibility: z.string().max(500).nullish(),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()], { error: 'expected a string' })).nullish(),
  'allowed-tools': z.union([z.string().max(8192), words], { error: 'expected a string or a list of strings' }).nullish(),
  ...claudeCode,
  skill_name: name.nullish(),
  version: z.union([z.string().max(64), z.number()], { error: 'expected a string' }).nullish(),
  triggers: words.nullish(),
  ...swarmShape,
  agents: swarmShape.agents.nullish(),
} as const;

/**
 * The frontmatter of SKILL.md: Agent Skills spec (agentskills.io/specification), Claude Code's additions, and the
 * one-file form, in which the swarm's keys stand in the frontmatter too.
 */
export const frontmatterSchema = z.strictObject(shape);
export type FrontmatterData = z.infer<typeof frontmatterSchema>;

/** As `swarmKeys`, for the frontmatter. */
export const frontmatterKeys: Readonly<Record<string, readonly string[]>> = { ...swarmKeys, '': Object.keys(shape) };

/** Splits at commas and white space outside parentheses: `Bash(git add:*), Read` is two tools. */
export function splitTools(text: string): string[] {
  const tools: string[] = [];
  let current = '';
  let depth = 0;
  for (const char of `${text} `) {
    if (char === '(') depth += 1;
    if (char === ')') depth = Math.max(0, depth - 1);
    if (depth > 0 || !/[\s,]/.test(char)) current += char;
    else if (current !== '') {
      tools.push(current);
      current = '';
    }
  }
  const rest = current.trim();
  return rest === '' ? tools : [...tools, rest];
}
