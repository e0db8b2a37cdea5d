import type { ProviderName } from '../agent/provider.ts';
import type { SkillSource, SwarmSpec } from '../skill/skill.ts';
import type { ToolContext } from './tool.ts';

/** Who thinks for a run. */
interface Thinker {
  readonly provider: ProviderName;
  /** Whether a file of the project chose, which may be a stranger's: before it costs anything, a person agrees. */
  readonly byProject: boolean;
}

/**
 * Who thinks where the call does not say: what the user configured, what the skill asks for, else the host for a call
 * through MCP, else no model. Money is never spent unasked.
 */
export function thinkerOf(swarm: SwarmSpec, source: SkillSource, { app, surface }: ToolContext): Thinker {
  const { provider, sources } = app.config;
  if (provider !== 'auto') return { provider, byProject: sources.provider === 'file' };
  if (swarm.provider !== null) return { provider: swarm.provider, byProject: source === 'project' };
  return { provider: surface === 'mcp' ? 'host' : 'local', byProject: false };
}

/** The swarm with a gate before it spends. */
export function withApproval(swarm: SwarmSpec): SwarmSpec {
  return swarm.approvals.includes('spending') ? swarm : { ...swarm, approvals: ['spending', ...swarm.approvals] };
}
