import { join } from 'node:path';
import { encode } from '@toon-format/toon';
import { describe, expect, it } from 'vitest';
import { parseSkillFolder } from '../../src/skill/parse.ts';
import { brief, HEAD, parseFiles, skillFile, skillFolder, swarmOf } from './skill-folder.ts';

const UNLIMITED = { tokens: null, costUsd: null, wallMs: null, steps: null };
/** What a swarm is that says nothing on these. */
const UNSAID = {
  strategy: 'plan',
  span: 4,
  maxRounds: 3,
  provider: null,
  budget: { run: UNLIMITED, agent: UNLIMITED },
  approvals: [],
};

const ONE_FILE = `---
skill_name: demo
version: 1.0
description: Use when testing.
triggers:
  - review my code
  - check security
agents:
  - type: security-analyst
    count: 2
    capabilities: [secrets, security-patterns]
  - type: tester
    count: 1
    capabilities: [test-gaps]
coordination:
  topology: hierarchical
  consensus: quorum
  decision:
    quorum: 2
  timeout: 5m
memory:
  persistence: true
  vector_search: true
  ttl: 24h
execution:
  parallel: false
  max_concurrent: 8
  retry_policy:
    max_attempts: 3
    backoff: linear
outputs:
  - type: report
    format: markdown
  - type: metrics
    format: json
---
# Body
`;

describe('a skill without a swarm', () => {
  it('is read with every key of the spec', async () => {
    const dir = await skillFolder({
      'SKILL.md': skillFile(
        'license: MIT\ncompatibility: Needs git\nmetadata:\n  author: a\n  version: "2.1"\nallowed-tools: Bash(git add:*), Read Grep\n',
        '\n# Title\n',
      ),
    });
    expect(await parseSkillFolder(dir)).toEqual({
      skill: {
        name: 'demo',
        description: 'Use when testing.',
        version: '2.1',
        triggers: [],
        dir,
        file: join(dir, 'SKILL.md'),
        body: '\n# Title\n',
        license: 'MIT',
        compatibility: 'Needs git',
        allowedTools: ['Bash(git add:*)', 'Read', 'Grep'],
        metadata: { author: 'a', version: '2.1' },
        swarm: null,
      },
      diagnostics: [],
    });
  });

  it('may list its tools and use the keys of Claude Code', async () => {
    const extras =
      'allowed-tools: [Read, "Bash(git log:*)"]\nwhen_to_use: now\nargument-hint: "[x]"\nmodel: opus\neffort: high\n' +
      'disallowed-tools: [Write]\ndisable-model-invocation: true\nuser-invocable: false\npaths: ["**/*.ts"]\n' +
      'hooks:\n  PreToolUse: []\ncontext: fork\nagent: Explore\nbackground: true\n';
    const { skill, diagnostics } = await parseFiles({ 'SKILL.md': skillFile(extras) });
    expect(diagnostics).toEqual([]);
    expect(skill?.allowedTools).toEqual(['Read', 'Bash(git log:*)']);
  });

  it('keeps numbers in its version and metadata as they are written', async () => {
    const { skill, diagnostics } = await parseFiles({ 'SKILL.md': skillFile('version: 1.10\nmetadata:\n  rev: 2.0\n') });
    expect(skill?.version).toBe('1.10');
    expect(skill?.metadata).toEqual({ rev: '2.0' });
    expect(brief(diagnostics)).toEqual(['warning metadata_not_string 6:8']);
  });

  it('is told when nothing stands below the frontmatter', async () => {
    const { skill, diagnostics } = await parseFiles({ 'SKILL.md': skillFile('', '\n') });
    expect(skill).not.toBeNull();
    expect(brief(diagnostics)).toEqual(['warning empty_body 5:1']);
  });

  it('closes with trailing spaces and keeps "---" in the body', async () => {
    const { skill } = await parseFiles({ 'SKILL.md': '---  \nname: demo\ndescription: d\n--- \n\na\n\n---\n\nb\n' });
    expect(skill?.body).toBe('\na\n\n---\n\nb\n');
  });
});

describe('the one-file form', () => {
  it('declares skill and swarm in the frontmatter', async () => {
    const { skill, diagnostics } = await parseFiles({ 'SKILL.md': ONE_FILE });
    expect(diagnostics).toEqual([]);
    expect(skill).toMatchObject({
      name: 'demo',
      version: '1.0',
      triggers: ['review my code', 'check security'],
      body: '# Body\n',
    });
    expect(skill?.swarm).toEqual({
      agents: [
        { type: 'security-analyst', count: 2, capabilities: ['secrets', 'security-patterns'] },
        { type: 'tester', count: 1, capabilities: ['test-gaps'] },
      ],
      ...UNSAID,
      topology: 'hierarchy',
      decision: { rule: 'quorum', quorum: 2, judge: null },
      supervision: { strategy: 'one_for_one', intensity: 3 * 3 * 3, periodMs: 300_000 },
      timeoutMs: 300_000,
      execution: { parallel: false, maxConcurrent: 8, retry: { maxAttempts: 3, backoff: 'linear', delayMs: 500 } },
      memory: { persistence: true, vectorSearch: true, ttlMs: 86_400_000 },
      outputs: [
        { type: 'report', format: 'markdown' },
        { type: 'metrics', format: 'json' },
      ],
    });
  });

  it('says the same as SKILL.md with swarm.yaml or swarm.toon', async () => {
    const yaml = ONE_FILE.slice(ONE_FILE.indexOf('agents:'), ONE_FILE.indexOf('---\n# Body'));
    const inline = (await parseFiles({ 'SKILL.md': ONE_FILE })).skill?.swarm;
    expect((await swarmOf(yaml)).swarm).toEqual(inline);
    const toon = encode({
      agents: [
        { type: 'security-analyst', count: 2, capabilities: ['secrets', 'security-patterns'] },
        { type: 'tester', count: 1, capabilities: ['test-gaps'] },
      ],
      coordination: { topology: 'hierarchical', consensus: 'quorum', decision: { quorum: 2 }, timeout: '5m' },
      memory: { persistence: true, vector_search: true, ttl: '24h' },
      execution: { parallel: false, max_concurrent: 8, retry_policy: { max_attempts: 3, backoff: 'linear' } },
      outputs: [
        { type: 'report', format: 'markdown' },
        { type: 'metrics', format: 'json' },
      ],
    });
    expect(await swarmOf(toon, 'swarm.toon')).toEqual({ swarm: inline, diagnostics: [] });
  });

  it('refuses name and skill_name that differ, and swarm keys without agents', async () => {
    const differing = await parseFiles({ 'SKILL.md': skillFile('skill_name: other\n') });
    expect(brief(differing.diagnostics)).toEqual(['error contradiction 4:13']);
    const orphan = await parseFiles({ 'SKILL.md': skillFile('coordination:\n  topology: mesh\n') });
    expect(brief(orphan.diagnostics)).toEqual(['error missing_key 4:1']);
  });
});

describe('a swarm', () => {
  it('has defaults for all but its agents', async () => {
    const { swarm, diagnostics } = await swarmOf('agents:\n  - type: tester\nmemory:\n');
    expect(diagnostics).toEqual([]);
    expect(swarm).toEqual({
      agents: [{ type: 'tester', count: 1, capabilities: [] }],
      ...UNSAID,
      topology: 'star',
      decision: { rule: 'majority', quorum: 1, judge: null },
      supervision: { strategy: 'one_for_one', intensity: 1 * 3 * 2, periodMs: 300_000 },
      timeoutMs: 300_000,
      execution: { parallel: true, maxConcurrent: 4, retry: { maxAttempts: 2, backoff: 'exponential', delayMs: 500 } },
      memory: { persistence: false, vectorSearch: false, ttlMs: null },
      outputs: [
        { type: 'report', format: 'markdown' },
        { type: 'report', format: 'json' },
        { type: 'report', format: 'sarif' },
      ],
    });
  });

  it('may have prompts, a decision and aliases of YAML', async () => {
    const text =
      'agents:\n  - type: a\n    count: 3\n    capabilities: &c [reasoning]\n    prompt: |\n      Look.\n  - type: b\n    capabilities: *c\n' +
      'coordination:\n  decision: {rule: quorum, quorum: 2}\nexecution:\n  retry_policy: {delay: 2s}\n';
    const { swarm, diagnostics } = await swarmOf(text);
    expect(diagnostics).toEqual([]);
    expect(swarm?.agents).toEqual([
      { type: 'a', count: 3, capabilities: ['reasoning'], prompt: 'Look.' },
      { type: 'b', count: 1, capabilities: ['reasoning'] },
    ]);
    expect(swarm?.decision).toEqual({ rule: 'quorum', quorum: 2, judge: null });
    expect(swarm?.execution.retry.delayMs).toBe(2000);
  });

  it.each([
    ['500ms', 500],
    ['300s', 300_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['24h', 86_400_000],
    ['1d', 86_400_000],
  ])('may run for %s', async (timeout, ms) => {
    expect((await swarmOf(`agents: [{type: a}]\ncoordination: {timeout: ${timeout}}\n`)).swarm?.timeoutMs).toBe(ms);
  });

  it.each([
    ['coordination: {timeout: 300}', 'error invalid_value 2:25'],
    ['coordination: {timeout: 25h}', 'error invalid_value 2:25'],
    ['coordination: {timeout: 0s}', 'error invalid_value 2:25'],
    ['coordination: {timeout: -5m}', 'error invalid_value 2:25'],
    ['coordination: {timeout: 5 weeks}', 'error invalid_value 2:25'],
    ['coordination: {topology: centralized}', 'error unsupported_topology 2:26'],
    ['coordination: {consensus: raft}', 'error unsupported_consensus 2:27'],
    ['coordination: {decision: {rule: ranked}}', 'error unsupported_consensus 2:33'],
    ['coordination: {decision: {quorum: 0}}', 'error invalid_value 2:35'],
    ['coordination: {decision: {quorum: 2}}', 'error quorum_unreachable 2:27'],
    ['coordination: {consensus: majority, decision: {rule: quorum}}', 'error contradiction 2:16'],
    ['execution: {max_concurrent: 1e999}', 'error invalid_value 2:29'],
    ['execution: {max_concurrent: 99999999999999999999999}', 'error invalid_value 2:29'],
    ['execution: {retry_policy: {max_attempts: 1.5}}', 'error invalid_value 2:42'],
    ['execution: {retry_policy: {backoff: random}}', 'error invalid_value 2:37'],
    ['execution: {parallel: yes}', 'error invalid_value 2:23'],
    ['outputs: [{type: report, format: html}]', 'error invalid_value 2:34'],
    ['outputs: [{type: r, format: json}, {type: r, format: json}]', 'error duplicate_output 2:36'],
    ['outputs: []', 'error invalid_value 2:10'],
  ])('refuses %s', async (line, expected) => {
    const { swarm, diagnostics } = await swarmOf(`agents: [{type: a}]\n${line}\n`);
    expect(swarm).toBeNull();
    expect(brief(diagnostics)).toEqual([expected]);
  });

  it.each([
    ['agents: []', 'error invalid_value 1:9'],
    ['agents: [{type: A_b}]', 'error invalid_value 1:17'],
    ['agents: [{type: a, count: 0}]', 'error invalid_value 1:27'],
    ['agents: [{type: a, count: 65}]', 'error invalid_value 1:27'],
    ['agents: [{type: a, count: "3"}]', 'error invalid_value 1:27'],
    ['agents: [{type: a, count: 60}, {type: b, count: 5}]', 'error too_many_agents 1:1'],
    ['agents: [{count: 1}]', 'error missing_key 1:10'],
    ['coordination: {}', 'error missing_key 1:1'],
    ['', 'error not_a_mapping 1:1'],
    ['- a', 'error not_a_mapping 1:1'],
    ['just text', 'error not_a_mapping 1:1'],
  ])('refuses the file "%s"', async (text, expected) => {
    expect(brief((await swarmOf(text)).diagnostics)).toEqual([expected]);
  });

  it('names what is supported', async () => {
    const { diagnostics } = await swarmOf('agents: [{type: a}]\ncoordination: {topology: hybrid, consensus: gossip}\n');
    expect(diagnostics.map((found) => found.message)).toEqual([
      'coordination.topology: "hybrid" is not supported; supported are star, mesh, ring, hierarchy and adaptive',
      'coordination.consensus: "gossip" is not supported; supported are majority, quorum, weighted, unanimous, byzantine and judge',
    ]);
  });

  it('is declared in one place', async () => {
    const swarm = 'agents: [{type: a}]\n';
    const files = await parseFiles({ 'SKILL.md': HEAD, 'swarm.yaml': swarm, 'swarm.toon': 'agents[1]{type}:\n  a\n' });
    expect(files.skill).toBeNull();
    expect(brief(files.diagnostics)).toEqual(['error several_swarms 1:1']);
    const both = await parseFiles({ 'SKILL.md': skillFile(swarm), 'swarm.yaml': swarm });
    expect(brief(both.diagnostics)).toEqual(['error several_swarms 1:1']);
    const misnamed = await parseFiles({ 'SKILL.md': HEAD, 'swarm.yml': swarm });
    expect(misnamed.skill?.swarm).toBeNull();
    expect(brief(misnamed.diagnostics)).toEqual(['warning ignored_file 1:1']);
  });
});

describe('places in a TOON file', () => {
  const toon = [
    'coordination:',
    '  topology: star',
    '  timeout: 25h',
    'agents[2]{type,count}:',
    '  tester,1',
    '  other,99',
    'outputs[2]:',
    '  - type: report',
    '    format: json',
    '  - type: report',
    '    format: html',
  ].join('\n');

  it('are those of the lines', async () => {
    expect(brief((await swarmOf(toon, 'swarm.toon')).diagnostics).sort()).toEqual([
      'error invalid_value 11:5',
      'error invalid_value 3:3',
      'error invalid_value 6:3',
    ]);
  });

  it("are the decoder's for broken syntax", async () => {
    const { diagnostics } = await swarmOf('agents[2]{type,count}:\n  tester,1\n', 'swarm.toon');
    expect(brief(diagnostics)).toEqual(['error toon_syntax 2:1']);
  });
});

describe('the skill of this package', () => {
  const dir = join(import.meta.dirname, '../../skills/code-review-swarm');

  it('is clean, short, and what it says it is', async () => {
    const { skill, diagnostics } = await parseSkillFolder(dir);
    expect(diagnostics).toEqual([]);
    expect(skill?.description).toMatch(/^Use when /);
    expect(skill?.description.length).toBeLessThanOrEqual(150);
    expect(skill?.body.split('\n').length).toBeLessThan(120);
    expect(skill?.swarm).toMatchObject({ topology: 'mesh', decision: { rule: 'majority', quorum: 1 } });
    expect(skill?.swarm?.agents.map((agent) => [agent.type, ...agent.capabilities])).toEqual([
      ['security-analyst', 'secrets', 'security-patterns'],
      ['code-quality-reviewer', 'hotspots', 'clones'],
      ['tester', 'test-gaps'],
      ['context-reviewer', 'code-context'],
      ['design-reviewer', 'reasoning'],
    ]);
    expect(skill?.swarm?.outputs.map((output) => output.format)).toEqual(['markdown', 'json', 'sarif']);
  });
});
