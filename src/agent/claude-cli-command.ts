import type { Prompt } from './prompt.ts';
import type { AskRequest } from './provider.ts';
import type { AgentToolName, ModelClass } from './role.ts';

/** Names that Claude Code resolves to its newest model of the class. */
const ALIASES: Readonly<Record<ModelClass, string>> = { small: 'haiku', standard: 'sonnet', large: 'opus' };

/** Claude Code's own tools, read-only ones alone. What else a role may do needs tools that this program lacks. */
const TOOLS: Readonly<Partial<Record<AgentToolName, string>>> = { read_file: 'Read', list_files: 'Glob', grep: 'Grep' };

/** Said once more, in case a later version changes what `--tools` means. */
const NEVER = ['Bash', 'Edit', 'Write', 'NotebookEdit', 'WebFetch', 'WebSearch', 'Task', 'Agent', 'Skill'];
const SECRET_ENDINGS = ['json', 'yaml', 'yml', 'toml', 'ini', 'env'];
/** What no agent may read, as `tools/secret-files` has it, in the program's patterns; they hold for searches too. */
const SECRET_PLACES = [
  '.env',
  '.env.*',
  '.envrc',
  '.npmrc',
  '.yarnrc',
  '.netrc',
  '.pypirc',
  '.pgpass',
  '.htpasswd',
  '.git-credentials',
  '.dockercfg',
  'id_rsa*',
  'id_dsa*',
  'id_ecdsa*',
  'id_ed25519*',
  'service-account*.json',
  ...['.git', '.skillflow', '.ssh', '.gnupg', '.aws', '.azure', '.kube', '.docker'].map((folder) => `${folder}/**`),
  ...['pem', 'key', 'p12', 'pfx', 'jks', 'keystore', 'kdbx', 'ppk'].map((ending) => `*.${ending}`),
  ...['credentials', 'secret', 'secrets'].flatMap((name) => [name, ...SECRET_ENDINGS.map((ending) => `${name}.${ending}`)]),
].map((pattern) => `Read(./**/${pattern})`);

/** UTF-16 units of a system prompt that goes as an argument: some systems allow 32,767 for the whole command line. */
const MOST_IN_ARGUMENT = 16_000;
/** Output tokens of one response that are asked for where a limit allows more. */
const MOST_OUTPUT_TOKENS = 32_000;

/** Turns of one attempt, each a request; an agent that wanders further is ended. */
const MAX_TURNS = 25;

/** A command without a shell. */
export interface ClaudeCommand {
  readonly args: readonly string[];
  /** For stdin. */
  readonly input: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Names of Claude Code's tools that a role's tools stand for. */
function toolsOf(request: AskRequest): readonly string[] {
  return request.agent.role.tools.flatMap((tool) => TOOLS[tool] ?? []);
}

/** What an interrupted session is told; what was asked is in it. */
const GO_ON =
  'Your work on this was interrupted. Go on where you were, use what you have read already, and give the answer that was asked for, in the required form.';

/**
 * The command that asks once. Least privilege: only reading tools exist; nothing is asked of anybody, so that what
 * needs a permission (a path outside the working folder) is refused; no settings, hooks, MCP servers or skills of
 * the user or of the project under review are loaded. No retries of its own: whoever drives the step retries.
 */
export function claudeCommand(
  request: AskRequest,
  prompt: Prompt,
  schema: Readonly<Record<string, unknown>>,
  resume: boolean,
): ClaudeCommand {
  const { maxCostUsd, maxTokens } = request.limits;
  const tools = toolsOf(request);
  const may = tools.length === 0 ? '' : `\n\nTo read in the project you have the tools ${tools.join(', ')}, and no others.`;
  const system = `${prompt.system}${may}`;
  const short = system.length <= MOST_IN_ARGUMENT;
  // Its validator knows draft-07 alone, and refuses a schema that names another.
  const { $schema: _, ...shape } = schema;
  const model = request.agent.model ?? ALIASES[request.agent.role.model];
  const args = [
    '--print',
    '--output-format=json',
    resume ? `--resume=${request.sessionId}` : `--session-id=${request.sessionId}`,
    `--json-schema=${JSON.stringify(shape)}`,
    `--model=${model}`,
    `--tools=${tools.join(',')}`,
    `--disallowedTools=${[...NEVER, ...SECRET_PLACES].join(',')}`,
    '--permission-mode=dontAsk',
    '--setting-sources=',
    '--strict-mcp-config',
    `--max-turns=${MAX_TURNS}`,
    '--disable-slash-commands',
    ...(short ? [`--system-prompt=${system}`] : []),
    ...(maxCostUsd === null ? [] : [`--max-budget-usd=${maxCostUsd}`]),
  ];
  const first = short ? prompt.user : `${system}\n\n${prompt.user}`;
  return {
    args,
    // Messages may have come since; those that are in the session already are no harm.
    input: resume ? [GO_ON, prompt.mail].filter((part) => part !== '').join('\n\n') : first,
    env: {
      CLAUDE_CODE_MAX_RETRIES: '0',
      DISABLE_AUTOUPDATER: '1',
      // Set where a Claude Code started this process: the new one is no part of that session.
      CLAUDECODE: '',
      // The program has no limit for a whole answer; this one holds for each response in it.
      ...(maxTokens === null ? {} : { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(Math.min(maxTokens, MOST_OUTPUT_TOKENS)) }),
    },
  };
}
