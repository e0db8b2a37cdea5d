/** Where a setting's value may come from, and what it may be. */
export interface SettingRule {
  /**
   * `secret`: text that only the environment may hold. `address`: text that says where secrets are sent to; in the project's
   * file, which may be a stranger's, only this machine.
   */
  readonly kind: 'boolean' | 'integer' | 'number' | 'choice' | 'text' | 'secret' | 'address';
  /** Environment variables, the first that is set counts. */
  readonly env: readonly [string, ...string[]];
  /** A variable of another program, and the one value of it that counts here. */
  readonly foreign?: { readonly env: string; readonly value: string };
  readonly fallback: boolean | number | string | null;
}

export const SETTINGS = {
  readOnly: { kind: 'boolean', env: ['SKILLFLOW_READ_ONLY'], fallback: false },
  threads: { kind: 'integer', env: ['SKILLFLOW_THREADS'], fallback: 0, min: 0, max: 64 },
  provider: {
    kind: 'choice',
    env: ['SKILLFLOW_PROVIDER'],
    fallback: 'auto',
    among: ['auto', 'local', 'host', 'anthropic', 'claude-cli'],
  },
  anthropicKey: { kind: 'secret', env: ['SKILLFLOW_ANTHROPIC_KEY', 'ANTHROPIC_API_KEY'], fallback: null },
  anthropicUrl: { kind: 'address', env: ['SKILLFLOW_ANTHROPIC_URL', 'ANTHROPIC_BASE_URL'], fallback: null },
  modelSmall: { kind: 'text', env: ['SKILLFLOW_MODEL_SMALL'], fallback: null },
  modelStandard: { kind: 'text', env: ['SKILLFLOW_MODEL_STANDARD'], fallback: null },
  modelLarge: { kind: 'text', env: ['SKILLFLOW_MODEL_LARGE'], fallback: null },
  runBudgetUsd: { kind: 'number', env: ['SKILLFLOW_RUN_BUDGET_USD'], fallback: 1, min: 0, max: 100_000 },
  dayBudgetUsd: { kind: 'number', env: ['SKILLFLOW_DAY_BUDGET_USD'], fallback: null, min: 0, max: 100_000 },
  dayBudgetTokens: { kind: 'number', env: ['SKILLFLOW_DAY_BUDGET_TOKENS'], fallback: null, min: 0, max: 1e12 },
  databaseUrl: { kind: 'address', env: ['SKILLFLOW_DB_URL', 'TURSO_DATABASE_URL'], fallback: null },
  databaseToken: { kind: 'secret', env: ['SKILLFLOW_DB_TOKEN', 'TURSO_AUTH_TOKEN'], fallback: null },
  databaseReplica: { kind: 'boolean', env: ['SKILLFLOW_DB_REPLICA'], fallback: false },
  databaseKey: { kind: 'secret', env: ['SKILLFLOW_DB_KEY'], fallback: null },
  embedding: {
    kind: 'choice',
    env: ['SKILLFLOW_EMBEDDING'],
    fallback: 'off',
    among: ['off', 'lexical', 'openai', 'transformers'],
  },
  embeddingUrl: { kind: 'address', env: ['SKILLFLOW_EMBEDDING_URL'], fallback: null },
  embeddingModel: { kind: 'text', env: ['SKILLFLOW_EMBEDDING_MODEL'], fallback: null },
  embeddingDimensions: { kind: 'integer', env: ['SKILLFLOW_EMBEDDING_DIMENSIONS'], fallback: 0, min: 0, max: 8_192 },
  embeddingKey: { kind: 'secret', env: ['SKILLFLOW_EMBEDDING_KEY'], fallback: null },
  mcpTools: {
    kind: 'choice',
    env: ['SKILLFLOW_MCP_TOOLS'],
    foreign: { env: 'CLAUDE_FLOW_MCP_TOOLS', value: 'all' },
    fallback: 'default',
    among: ['default', 'all'],
  },
  output: { kind: 'choice', env: ['SKILLFLOW_OUTPUT'], fallback: 'json', among: ['json', 'toon', 'auto'] },
} as const satisfies Readonly<Record<string, SettingRule & { readonly [extra: string]: unknown }>>;

export type Setting = keyof typeof SETTINGS;
