import type { SkipReason } from '../../changes.ts';
import type { Omissions, ReportInput } from './report.ts';

/** How many paths stand for a group of skipped files. */
const EXAMPLES = 5;

function groupSkipped(skipped: ReportInput['changes']['skipped']): Omissions['files'] {
  const groups = new Map<SkipReason, string[]>();
  for (const { path, reason } of skipped) {
    const paths = groups.get(reason) ?? [];
    paths.push(path);
    groups.set(reason, paths);
  }
  return [...groups]
    .map(([reason, paths]) => ({ reason, count: paths.length, examples: paths.sort().slice(0, EXAMPLES) }))
    .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
}

function mergeNotes(notes: ReportInput['notes']): Omissions['notes'] {
  const merged = new Map<string, { code: string; message: string; count?: number; agents: string[] }>();
  for (const { code, message, count, agent } of notes) {
    const key = JSON.stringify([code, message, count ?? null]);
    const entry = merged.get(key) ?? { code, message, ...(count === undefined ? {} : { count }), agents: [] };
    if (agent !== null && !entry.agents.includes(agent)) entry.agents.push(agent);
    merged.set(key, entry);
  }
  for (const entry of merged.values()) entry.agents.sort();
  return [...merged.values()];
}

/** Gathers the omissions from the agents, the change set and the notes. */
export function findOmissions({ agents, changes, notes }: ReportInput): Omissions {
  return {
    agents: agents.flatMap(({ id, status, reason }) => (status === 'completed' ? [] : [{ id, status, reason: reason ?? '' }])),
    files: groupSkipped(changes.skipped),
    changes: changes.notes.map(({ code, message }) => ({ code, message })),
    notes: mergeNotes(notes),
  };
}
