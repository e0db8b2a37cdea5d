import { mailTools } from './agent-mail.ts';
import { agentTools } from './agent.ts';
import { healthTools } from './health.ts';
import { memoryTools } from './memory.ts';
import { runTools } from './run.ts';
import { skillTools } from './skill.ts';
import { swarmTools } from './swarm.ts';
import { taskTools } from './task.ts';
import type { AnyTool } from './tool.ts';
import { voteTools } from './vote.ts';

/** Every tool, in the order that listings show. */
export const allTools: readonly AnyTool[] = [
  ...skillTools,
  ...runTools,
  ...memoryTools,
  ...swarmTools,
  ...agentTools,
  ...mailTools,
  ...taskTools,
  ...voteTools,
  ...healthTools,
];
