/** How an agent thinks: towards one answer, towards many, sideways, or about the whole. */
export type CognitiveStyle = 'convergent' | 'divergent' | 'lateral' | 'systems';
export const COGNITIVE_STYLES = ['convergent', 'divergent', 'lateral', 'systems'] as const satisfies readonly CognitiveStyle[];

/** A class of models, resolved to a name by each provider. */
export type ModelClass = 'small' | 'standard' | 'large';
export const MODEL_CLASSES = ['small', 'standard', 'large'] as const satisfies readonly ModelClass[];

/** What an agent may do while it thinks, all of it inside the project root. */
export type AgentToolName =
  | 'read_file'
  | 'list_files'
  | 'grep'
  | 'git_diff'
  | 'memory_search'
  | 'memory_store'
  | 'report_finding'
  | 'send_message';
export const AGENT_TOOL_NAMES = [
  'read_file',
  'list_files',
  'grep',
  'git_diff',
  'memory_search',
  'memory_store',
  'report_finding',
  'send_message',
] as const satisfies readonly AgentToolName[];

/** What an agent of some type is told and may do; data, from the package or from a skill's `roles/<name>.md`. */
export interface Role {
  /** Kebab-case, e.g. `security-analyst`. */
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  readonly style: CognitiveStyle;
  readonly model: ModelClass;
  readonly tools: readonly AgentToolName[];
  /** Markdown: who it is, what to look for, what a good answer is. */
  readonly prompt: string;
}
