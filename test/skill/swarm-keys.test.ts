import { describe, expect, it } from 'vitest';
import { brief, parseFiles, skillFile, swarmOf } from './skill-folder.ts';

const AGENTS = 'agents: [{type: coder, count: 2}, {type: referee}]\n';

describe('what a swarm can say on coordination', () => {
  it('is read with every key', async () => {
    const { swarm, diagnostics } = await swarmOf(`
agents:
  - type: coder
    model: claude-opus-4-5
  - type: referee
coordination:
  topology: adaptive
  strategy: cascade
  span: 8
  max_rounds: 5
  timeout: 10m
  decision: {rule: judge, judge: referee}
provider: anthropic
budget:
  tokens: 200000
  cost_usd: 1.5
  wall: 5m
  steps: 40
  agent: {tokens: 50000, cost_usd: 0}
supervision: {strategy: rest_for_one, intensity: 0, period: 5s}
approvals: [spending, low_agreement]
`);
    expect(diagnostics).toEqual([]);
    expect(swarm).toMatchObject({
      agents: [
        { type: 'coder', count: 1, capabilities: [], model: 'claude-opus-4-5' },
        { type: 'referee', count: 1, capabilities: [] },
      ],
      topology: 'adaptive',
      strategy: 'cascade',
      span: 8,
      maxRounds: 5,
      decision: { rule: 'judge', quorum: 1, judge: 'referee' },
      provider: 'anthropic',
      budget: {
        run: { tokens: 200_000, costUsd: 1.5, wallMs: 300_000, steps: 40 },
        agent: { tokens: 50_000, costUsd: 0, wallMs: null, steps: null },
      },
      supervision: { strategy: 'rest_for_one', intensity: 0, periodMs: 5000 },
      approvals: ['spending', 'low_agreement'],
    });
    expect(swarm?.agents[1]).not.toHaveProperty('model');
  });

  it('may stand in the frontmatter, beside the keys of Claude Code', async () => {
    const { skill, diagnostics } = await parseFiles({
      'SKILL.md': skillFile(`model: opus\nagent: Explore\n${AGENTS}provider: host\n`),
    });
    expect(diagnostics).toEqual([]);
    expect(skill?.swarm?.provider).toBe('host');
  });

  it.each(['provider: local', 'budget: {tokens: 5}', 'supervision: {intensity: 1}', 'approvals: [writing]'])(
    'makes no sense without agents: %s',
    async (line) => {
      const { diagnostics } = await parseFiles({ 'SKILL.md': skillFile(`${line}\n`) });
      expect(brief(diagnostics)).toEqual(['error missing_key 4:1']);
    },
  );

  it.each(['majority', 'weighted', 'unanimous', 'byzantine'] as const)('may decide by %s', async (rule) => {
    const { swarm } = await swarmOf(`${AGENTS}coordination: {consensus: ${rule}}\n`);
    expect(swarm?.decision).toEqual({ rule, quorum: 1, judge: null });
  });

  it('leaves room for every attempt that the retry policy allows, in every layer that may be added', async () => {
    const { swarm } = await swarmOf(`${AGENTS}coordination: {strategy: cascade, max_rounds: 2, timeout: 1m}\n`);
    expect(swarm?.supervision).toEqual({ strategy: 'one_for_one', intensity: 3 * 3 * 3 * 2, periodMs: 60_000 });
  });

  it.each([
    ['coordination: {strategy: waterfall}', 'error unsupported_strategy 2:26'],
    ['coordination: {span: 0}', 'error invalid_value 2:22'],
    ['coordination: {max_rounds: 17}', 'error invalid_value 2:28'],
    ['coordination: {consensus: judge}', 'error missing_judge 2:1'],
    ['coordination: {decision: {rule: judge}}', 'error missing_judge 2:16'],
    ['coordination: {decision: {rule: judge, judge: referees}}', 'error unknown_judge 2:40'],
    ['coordination: {consensus: quorum}', 'error missing_quorum 2:1'],
    ['coordination: {decision: {rule: quorum}}', 'error missing_quorum 2:16'],
    ['coordination: {decision: {judge: referee}}', 'error contradiction 2:27'],
    ['provider: openai', 'error unsupported_provider 2:11'],
    ['budget: {tokens: 0}', 'error invalid_value 2:18'],
    ['budget: {tokens: 1.5}', 'error invalid_value 2:18'],
    ['budget: {cost_usd: -1}', 'error invalid_value 2:20'],
    ['budget: {cost_usd: .inf}', 'error invalid_value 2:20'],
    ['budget: {cost_usd: .nan}', 'error invalid_value 2:20'],
    ['budget: {wall: 300}', 'error invalid_value 2:16'],
    ['budget: {agent: {steps: 0}}', 'error invalid_value 2:25'],
    ['supervision: {strategy: one_for_none}', 'error unsupported_supervision 2:25'],
    ['supervision: {intensity: -1}', 'error invalid_value 2:26'],
    ['supervision: {period: 0s}', 'error invalid_value 2:23'],
    ['approvals: [spending, deleting]', 'error unsupported_approval 2:23'],
    ['approvals: [spending, spending]', 'error duplicate_approval 2:23'],
  ])('refuses %s', async (line, expected) => {
    const { swarm, diagnostics } = await swarmOf(`${AGENTS}${line}\n`);
    expect(swarm).toBeNull();
    expect(brief(diagnostics)).toEqual([expected]);
  });

  it.each([
    ['aprovals: [spending]', 'error unknown_key 2:1', 'Did you mean "approvals"?'],
    ['budgets: {cost_usd: 1}', 'error unknown_key 2:1', 'Did you mean "budget"?'],
    ['budget: {day: {tokens: 5}}', 'error unknown_key 2:10', 'Known here: tokens, cost_usd, wall, steps, agent.'],
    ['budget: {agent: {token: 5}}', 'error unknown_key 2:18', 'Did you mean "tokens"?'],
    ['cordination: {topology: ring}', 'warning unknown_key 2:1', 'Did you mean "coordination"?'],
  ])('takes no misspelt limit or gate for a remark: %s', async (line, expected, hint) => {
    const found = await swarmOf(`${AGENTS}${line}\n`);
    expect(brief(found.diagnostics)).toEqual([expected]);
    expect(found.diagnostics[0]?.hint).toBe(hint);
    expect(found.swarm === null).toBe(expected.startsWith('error'));
    const inline = await parseFiles({ 'SKILL.md': skillFile(`${AGENTS}${line}\n`) });
    expect(inline.skill === null).toBe(expected.startsWith('error'));
    // A text alone is no swarm's: what it says beside is its own.
    const text = await parseFiles({ 'SKILL.md': skillFile('aprovals: [spending]\nbudgets: 5\n') });
    expect(brief(text.diagnostics).every((one) => one.startsWith('warning'))).toBe(true);
  });

  it('refuses a judge without anyone to judge, and a name of a model that is none', async () => {
    const alone = await swarmOf('agents: [{type: a, count: 3}]\ncoordination: {decision: {rule: judge, judge: a}}\n');
    expect(brief(alone.diagnostics)).toEqual(['error judge_alone 2:40']);
    const model = await swarmOf('agents: [{type: a, model: "--help"}]\n');
    expect(brief(model.diagnostics)).toEqual(['error invalid_value 1:27']);
  });

  it('names what was probably meant', async () => {
    const { diagnostics } = await swarmOf(
      `${AGENTS}coordination: {strategy: cascades, max_round: 2, decision: {rule: judge, judge: refere}}\n`,
    );
    expect(diagnostics.map(({ message, hint }) => `${message} | ${hint}`)).toEqual([
      'coordination.strategy: "cascades" is not supported; supported are plan, cascade, fusion, neuro-divergent and adaptive; did you mean "cascade"? | undefined',
      'unknown key "max_round" in coordination; it is ignored | Did you mean "max_rounds"?',
    ]);
    const judge = await swarmOf(`${AGENTS}coordination: {decision: {rule: judge, judge: refere}}\n`);
    expect(judge.diagnostics.map(({ hint }) => hint)).toEqual(['Did you mean "referee"?']);
    const budget = await swarmOf(`${AGENTS}budget: {token: 5, agent: {cost: 1}}\n`);
    expect(budget.diagnostics.map(({ hint }) => hint)).toEqual(
      expect.arrayContaining(['Did you mean "tokens"?', 'Did you mean "cost_usd"?']),
    );
  });
});
