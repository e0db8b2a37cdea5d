import { expect, test } from 'vitest';
import { parseRole } from '../../src/agent/roles/parse-role.ts';
import { createCallWords } from '../../src/executor/call-words.ts';
import type { NamedCall } from '../../src/executor/call-words.ts';
import { readFrontmatter } from '../../src/skill/frontmatter.ts';
import { allTools } from '../../src/tools/all-tools.ts';

const TOOLS: readonly NamedCall[] = [
  { name: 'run_approve', cli: { command: ['approve'], positional: ['runId'] } },
  { name: 'run_resume', cli: { command: ['resume'], positional: ['runId'] } },
  { name: 'run_list', cli: { command: ['runs'] } },
  { name: 'run_status', cli: { command: ['show'], positional: ['runId'] } },
  { name: 'task_complete', cli: { command: ['task', 'complete'], positional: ['claimId', 'answer'] } },
  { name: 'agent_stop', cli: { command: ['agent', 'stop'], positional: ['agentId'] }, listed: false },
];
const words = createCallWords(TOOLS, false);
const all = createCallWords(TOOLS, true);

test.each([
  ['run_approve {"runId":"run_1","approved":true} or not', '`skillflow approve run_1 --approved` or not'],
  ['run_approve {"runId":"run_1","approved":false}.', '`skillflow approve run_1 --no-approved`.'],
  ['`run_resume {"runId": "run_1", "maxCostUsd": 20}`', '`skillflow resume run_1 --max-cost-usd 20`'],
  ['List the runs with run_list.', 'List the runs with `skillflow runs`.'],
  ['Stop some with agent_stop, then', 'Stop some with `skillflow agent stop`, then'],
  ['task_complete {"claimId": "r/s/1", "answer": {…}}', '`skillflow task complete r/s/1 …`'],
  ['run_resume {"runId":"it\'s $(here)"}', "`skillflow resume 'it'\\''s $(here)'`"],
  ['The tools are "run_list", "run_status".', 'The tools are "run_list", "run_status".'],
  [
    'look with `skillflow show`; max_tokens stays, run_resumed too',
    'look with `skillflow show`; max_tokens stays, run_resumed too',
  ],
])('in a shell: %s', (text, shown) => {
  expect(words(text, 'cli')).toBe(shown);
});

test.each([
  ['See `skillflow runs`.', 'See run_list.'],
  ['Look with `skillflow show run_1`.', 'Look with run_status {"runId":"run_1"}.'],
  ['`skillflow approve <run> --approved`', 'run_approve {"runId":"<run>","approved":true}'],
  ['Stop some with agent_stop.', 'Stop some with `skillflow agent stop` in a shell.'],
  ['The tools are "agent_stop".', 'The tools are "agent_stop".'],
  ['`skillflow agent stop a`; see run_list', '`skillflow agent stop a` in a shell; see run_list'],
  ['`skillflow config` tells', '`skillflow config` in a shell tells'],
])('for an MCP client: %s', (text, shown) => {
  expect(words(text, 'mcp')).toBe(shown);
});

test('a client that sees all tools gets all of them by name, and other programs the text as it is', () => {
  expect(all('agent_stop or `skillflow agent stop a`', 'mcp')).toBe('agent_stop or agent_stop {"agentId":"a"}');
  expect(words('agent_stop or `skillflow runs`', 'http')).toBe('agent_stop or `skillflow runs`');
});

test('the tools that a role file may name stay as they are written there', () => {
  const text = '---\ndescription: Looks.\ntools: [memory_find]\n---\n\nLook.\n';
  const role = parseRole('one', text, readFrontmatter);
  const hint = role.ok ? '' : String(role.problems[0]?.hint);
  expect(hint).toContain('"memory_search"');
  const ofProduct = createCallWords(allTools, false);
  for (const surface of ['cli', 'mcp'] as const) expect(ofProduct(hint, surface)).toBe(hint);
});
