import { expect, test } from 'vitest';
import { createMixedProvider } from '../../src/agent/mixed.ts';
import type { AskRequest, Provider } from '../../src/agent/provider.ts';
import { askRequest, testRole } from './ask-request.ts';
import { noChanges, outputOf } from './seen-finding.ts';

function named(name: 'local' | 'anthropic', log: string[], closes: () => Promise<void> = async () => undefined): Provider {
  return {
    name,
    paid: name !== 'local',
    ask: async ({ kind }: AskRequest) => {
      log.push(`${name} ${kind}`);
      return { status: 'completed', output: outputOf() };
    },
    [Symbol.asyncDispose]: closes,
  };
}

const hasAnalyzer = (capability: string): boolean => ['secrets', 'complexity'].includes(capability);

test.each([
  [['secrets'], 'work', 'local'],
  [['secrets', 'complexity'], 'merge', 'local'],
  [['secrets'], 'judge', 'local'],
  [['secrets', 'taste'], 'work', 'anthropic'],
  [['taste'], 'judge', 'anthropic'],
  [[], 'work', 'anthropic'],
  [[], 'merge', 'anthropic'],
] as const)('%j %s: %s', async (capabilities, kind, expected) => {
  const log: string[] = [];
  const mixed = createMixedProvider(named('local', log), named('anthropic', log), hasAnalyzer);
  const agent = { id: 'a', type: 't', capabilities, role: testRole() };
  expect(mixed.serves(agent).name).toBe(expected);
  await mixed.ask(askRequest(noChanges('/p'), { kind, agent }));
  expect(log).toEqual([`${expected} ${kind}`]);
});

test('it is called and paid as the one that thinks, and closes both, also when one cannot', async () => {
  const closed: string[] = [];
  const local = named('local', [], () => Promise.reject(new Error('stuck')));
  const thinker = named('anthropic', [], async () => void closed.push('thinker'));
  const mixed = createMixedProvider(local, thinker, hasAnalyzer);
  expect(mixed).toMatchObject({ name: 'anthropic', paid: true });
  await expect(mixed[Symbol.asyncDispose]()).rejects.toThrow('stuck');
  expect(closed).toEqual(['thinker']);
});
