import type { z } from 'zod';
import type { CallResult } from '../src/executor/executor.ts';
import type { CallTool } from '../src/legacy/row.ts';
import { agentListOutput } from '../src/tools/agent.ts';

type Listed = z.output<typeof agentListOutput>;

/** Most agents that one call lists. */
const PAGE = 500;

/** All agents of a swarm, over as many calls as that takes; the failure of one that failed. */
export async function listAllAgents(
  call: CallTool,
  swarmId: string | undefined,
): Promise<{ readonly listed: Listed } | { readonly failed: CallResult }> {
  const agents: Listed['agents'] = [];
  let place = swarmId;
  for (;;) {
    const answer = await call('agent_list', {
      limit: PAGE,
      offset: agents.length,
      ...(place === undefined ? {} : { swarmId: place }),
    });
    if (!answer.ok) return { failed: answer };
    const page = agentListOutput.parse(answer.output);
    place = page.swarmId ?? undefined;
    agents.push(...page.agents);
    if (page.agents.length === 0 || agents.length >= page.total) return { listed: { ...page, agents, offset: 0 } };
  }
}
