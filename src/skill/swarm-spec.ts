import { problem } from './source-document.ts';
import type { Problem, SourceDocument, ValuePath } from './source-document.ts';
import type { SwarmSpec } from './skill.ts';
import { MAX_AGENTS } from './swarm-schema.ts';
import type { SwarmFile } from './swarm-schema.ts';

const DEFAULT_OUTPUTS: SwarmSpec['outputs'] = [
  { type: 'report', format: 'markdown' },
  { type: 'report', format: 'json' },
  { type: 'report', format: 'sarif' },
];

function fillDefaults({ agents, coordination, memory, execution, outputs }: SwarmFile): SwarmSpec {
  const decision = coordination?.decision;
  const retry = execution?.retry_policy;
  return {
    agents: agents.map(({ type, count, capabilities, prompt }) => ({
      type,
      count: count ?? 1,
      capabilities: capabilities ?? [],
      ...(typeof prompt === 'string' ? { prompt } : {}),
    })),
    topology: coordination?.topology ?? 'star',
    decision: { rule: decision?.rule ?? coordination?.consensus ?? 'majority', quorum: decision?.quorum ?? 1 },
    timeoutMs: coordination?.timeout ?? 300_000,
    execution: {
      parallel: execution?.parallel ?? true,
      maxConcurrent: execution?.max_concurrent ?? 4,
      retry: {
        maxAttempts: retry?.max_attempts ?? 2,
        backoff: retry?.backoff ?? 'exponential',
        delayMs: retry?.delay ?? 500,
      },
    },
    memory: {
      persistence: memory?.persistence ?? false,
      vectorSearch: memory?.vector_search ?? false,
      ttlMs: memory?.ttl ?? null,
    },
    outputs: outputs ?? DEFAULT_OUTPUTS,
  };
}

/** What each key by itself cannot tell: sums, contradictions, repetitions. */
function checkTogether(file: SwarmFile, spec: SwarmSpec, document: SourceDocument): Problem[] {
  const problems: Problem[] = [];
  const add = (code: string, path: ValuePath, message: string, hint: string): void => {
    problems.push(problem('error', code, message, { ...document.locateKey(path), hint }));
  };
  const total = spec.agents.reduce((sum, agent) => sum + agent.count, 0);
  if (total > MAX_AGENTS) {
    add(
      'too_many_agents',
      ['agents'],
      `the counts add up to ${total} agents; at most ${MAX_AGENTS} can run`,
      'Lower the counts.',
    );
  }
  const { rule, quorum } = spec.decision;
  if (quorum > total) {
    const message = `a quorum of ${quorum} cannot be reached by ${total} ${total === 1 ? 'agent' : 'agents'}`;
    add('quorum_unreachable', ['coordination', 'decision', 'quorum'], message, 'Lower the quorum or add agents.');
  }
  const consensus = file.coordination?.consensus ?? rule;
  if (consensus !== rule) {
    const message = `consensus is "${consensus}", decision.rule is "${rule}"`;
    add('contradiction', ['coordination', 'consensus'], message, 'Keep one of the two.');
  }
  const seen = new Set<string>();
  for (const [i, { type, format }] of spec.outputs.entries()) {
    const name = `${type} ${format}`;
    if (seen.has(name)) add('duplicate_output', ['outputs', i], `the output ${type} as ${format} is there twice`, 'Remove one.');
    seen.add(name);
  }
  return problems;
}

/**
 * The swarm that a validated file declares, defaults filled in: topology star, majority with a quorum of 1, 300 s,
 * parallel with 4 at once, 2 attempts with exponential backoff from 500 ms, no memory, a report as
 * markdown, JSON and SARIF. `problems` tells what does not fit together; all of them are errors.
 */
export function toSwarmSpec(
  file: SwarmFile,
  document: SourceDocument,
): { readonly spec: SwarmSpec; readonly problems: Problem[] } {
  const spec = fillDefaults(file);
  return { spec, problems: checkTogether(file, spec, document) };
}
