import type { ChangeSet } from '../changes.ts';
import type { EventBody, EventScope } from '../events.ts';
import { redactSecrets } from '../analysis/secrets-redact.ts';
import type { BeginRun } from './run-log.ts';

/** What a change set says in public; names of branches are written by people. */
function scopeOf({ mode, base, git, files, skipped, notes }: ChangeSet): EventScope {
  return {
    mode,
    base,
    git:
      git === null
        ? null
        : { head: git.head, branch: git.branch === null ? null : redactSecrets(git.branch), shallow: git.shallow },
    files: files.map(({ path, status, changed }) => ({
      path,
      status,
      changedLines: changed === 'all' ? null : changed.reduce((sum, { start, end }) => sum + end - start + 1, 0),
    })),
    skipped,
    notes,
  };
}

/** The first event of a run: all that its report needs besides what happens. */
export function startedEvent({ spec, version, changes, plan }: BeginRun): EventBody {
  const formats = [...new Set([...spec.swarm.outputs.map(({ format }) => format), 'json' as const])];
  return {
    type: 'run_started',
    skill: spec.skill,
    skillVersion: spec.skillVersion,
    version,
    task: spec.task,
    provider: spec.provider,
    topology: plan.topology,
    strategy: plan.strategy,
    ...(plan.reason === undefined ? {} : { reason: plan.reason }),
    agents: plan.agents.map(({ id, name, type, capabilities }) => ({
      id,
      ...(name === undefined ? {} : { name: redactSecrets(name) }),
      type,
      capabilities,
    })),
    steps: plan.steps,
    formats,
    scope: scopeOf(changes),
  };
}
