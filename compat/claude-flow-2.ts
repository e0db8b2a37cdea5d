import type { LegacyRow, UnsupportedNames } from '../src/legacy/row.ts';
import { CLAUDE_FLOW_2_COORDINATION } from './claude-flow-2-coordination.ts';
import { CLAUDE_FLOW_2_DAA } from './claude-flow-2-daa.ts';
import { CLAUDE_FLOW_2_DAA_LIMITS } from './claude-flow-2-daa-limits.ts';
import { CLAUDE_FLOW_2_MEMORY } from './claude-flow-2-memory.ts';
import { CLAUDE_FLOW_2_MEMORY_CARE } from './claude-flow-2-memory-care.ts';
import { CLAUDE_FLOW_2_MEMORY_VIEWS } from './claude-flow-2-memory-views.ts';
import { CLAUDE_FLOW_2_SWARM } from './claude-flow-2-swarm.ts';
import { CLAUDE_FLOW_2_UNSUPPORTED } from './claude-flow-2-unsupported.ts';
import { CLAUDE_FLOW_2_WORK } from './claude-flow-2-work.ts';

/** The 90 names of claude-flow 2.7: those that work here, and those that say what to use instead. */
export const claudeFlow2: { readonly rows: readonly LegacyRow[]; readonly unsupported: readonly UnsupportedNames[] } = {
  rows: [
    ...CLAUDE_FLOW_2_SWARM,
    ...CLAUDE_FLOW_2_COORDINATION,
    ...CLAUDE_FLOW_2_DAA,
    ...CLAUDE_FLOW_2_DAA_LIMITS,
    ...CLAUDE_FLOW_2_WORK,
    ...CLAUDE_FLOW_2_MEMORY,
    ...CLAUDE_FLOW_2_MEMORY_CARE,
    ...CLAUDE_FLOW_2_MEMORY_VIEWS,
  ],
  unsupported: CLAUDE_FLOW_2_UNSUPPORTED,
};
