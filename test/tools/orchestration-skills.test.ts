import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { claudeFlow2 } from '../../compat/claude-flow-2.ts';
import { AGENT_TOOL_NAMES } from '../../src/agent/role.ts';
import { loadSkill } from '../../src/skill/load.ts';
import { makePlan } from '../../src/swarm/make-plan.ts';
import { swarmOf } from '../skill/skill-folder.ts';
import { allTools } from '../../src/tools/all-tools.ts';

const SKILLS = join(import.meta.dirname, '..', '..', 'skills');
const NAMES = ['swarm-orchestration', 'research-swarm', 'consensus-vote', 'code-review-swarm'];
/** What may be called: our tools, and the legacy names that act. */
const callable = new Set([...allTools, ...claudeFlow2.rows].map(({ name }) => name));
const tools = new Map(allTools.map((tool) => [tool.name, tool]));
const textOf = (name: string): Promise<string> => readFile(join(SKILLS, name, 'SKILL.md'), 'utf8');

/** The JSON examples of a text. */
async function examplesOf(name: string): Promise<readonly unknown[]> {
  const text = (await textOf(name)).replaceAll(/^ {3}/gm, '');
  return [...text.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, json = '']): unknown => JSON.parse(json));
}

describe.each(NAMES)('%s', (name) => {
  test('is short, and read without a complaint', async () => {
    expect((await textOf(name)).split('\n').length).toBeLessThan(150);
    const { skill, diagnostics } = await loadSkill(name, [{ source: 'package', dir: SKILLS }]);
    expect(diagnostics).toEqual([]);
    expect(skill?.name).toBe(name);
  });

  test('every tool that it names exists', async () => {
    const named = (await textOf(name)).match(/\b(?:swarm|agent|task|vote|decision|run|skill|memory)_[a-z]+\b/g) ?? [];
    expect(named.length).toBeGreaterThan(2);
    expect([...new Set(named)].filter((tool) => !callable.has(tool))).toEqual([]);
  });
});

test('the examples are valid calls', async () => {
  for (const name of ['swarm-orchestration', 'research-swarm']) {
    const [example, ...others] = await examplesOf(name);
    expect(others).toEqual([]);
    expect(tools.get('skill_run')?.bind(example), name).toMatchObject({ ok: true });
  }
  const [poll, ballot] = await examplesOf('consensus-vote');
  expect(tools.get('vote_open')?.bind(poll)).toMatchObject({ ok: true });
  expect(tools.get('vote_cast')?.bind(ballot)).toMatchObject({ ok: true });
});

test('the roles and agent tools that swarm-orchestration names exist', async () => {
  const text = await textOf('swarm-orchestration');
  const [, list = ''] = /## Roles\n\n([\s\S]*?)\. Each is a file/.exec(text) ?? [];
  const named = list.split(/,\s+/);
  expect(named.length).toBeGreaterThan(12);
  for (const role of named) await readFile(join(SKILLS, 'swarm-orchestration', 'roles', `${role}.md`));
  const [, listed = ''] = /^tools: \[(.*)\]$/m.exec(text) ?? [];
  expect(AGENT_TOOL_NAMES).toEqual(expect.arrayContaining(listed.split(', ')));
});

test('the swarm that swarm-orchestration shows is one', async () => {
  const [, yaml = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(await textOf('swarm-orchestration')) ?? [];
  const { swarm, diagnostics } = await swarmOf(yaml);
  expect(diagnostics).toEqual([]);
  expect(swarm).toMatchObject({ decision: { rule: 'judge', judge: 'reviewer' }, budget: { agent: { tokens: 60_000 } } });
});

test('research-swarm: independent work, one merges, one who took no part judges', async () => {
  const { skill } = await loadSkill('research-swarm', [{ source: 'package', dir: SKILLS }]);
  const swarm = skill?.swarm ?? null;
  expect(swarm).toMatchObject({ budget: { run: { tokens: 400_000, costUsd: 5, wallMs: 1_800_000 } }, approvals: ['spending'] });
  const { topology, agents, decision } = swarm ?? { topology: 'star', agents: [], decision: { judge: null } };
  const { steps } = makePlan({ topology, agents, judge: decision.judge });
  expect(steps.map(({ round, kind, agentId }) => `${round} ${kind} ${agentId}`)).toEqual([
    '1 work researcher-1',
    '1 work researcher-2',
    '1 work researcher-3',
    '2 merge coordinator',
    '3 judge reviewer',
  ]);
  expect(steps.filter(({ kind, sees }) => kind === 'work' && sees.length > 0)).toEqual([]);
  // They differ in where they start: one model asked three times the same gives one answer.
  expect(new Set(agents.map(({ prompt }) => prompt)).size).toBe(agents.length);
});
