/** Agent types that claude-flow 2.7 names differently from the role that does the work. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['analyst', 'code-analyzer'],
  ['architect', 'system-architect'],
  ['coordinator', 'task-orchestrator'],
  ['documenter', 'api-docs'],
  ['monitor', 'performance-benchmarker'],
  ['optimizer', 'perf-analyzer'],
  ['specialist', 'system-architect'],
]);

/** The role behind an agent type; a type without an alias is its own role. */
export function roleOf(type: string): string {
  return ALIASES.get(type) ?? type;
}
