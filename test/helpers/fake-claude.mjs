// Stands in for Claude Code's headless mode: `node fake-claude.mjs <folder> …arguments`. The folder says what to do
// (mode.json), keeps its sessions, and takes a record of each call. Texts and shapes are those of version 2.1.329.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...args] = process.argv.slice(2);
const {
  mode,
  answer = {},
  version = '2.1.329',
  denials = [],
  stderr = '',
  usd = 0.25,
} = JSON.parse(readFileSync(join(folder, 'mode.json'), 'utf8'));
const flag = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);

function stop(text, code) {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

if (args.includes('--version')) {
  process.stdout.write(`${version} (Claude Code)\n`);
  process.exit(0);
}

const input = readFileSync(0, 'utf8');
const { CLAUDE_CODE_MAX_RETRIES, CLAUDE_CODE_MAX_OUTPUT_TOKENS, CLAUDECODE } = process.env;
const env = { CLAUDE_CODE_MAX_RETRIES, CLAUDE_CODE_MAX_OUTPUT_TOKENS, CLAUDECODE };
appendFileSync(join(folder, 'calls.jsonl'), `${JSON.stringify({ args, input, env, cwd: process.cwd() })}\n`);
const note = (pid) => appendFileSync(join(folder, 'pids'), `${pid}\n`);
note(process.pid);

const sessions = join(folder, 'sessions');
mkdirSync(sessions, { recursive: true });
const id = flag('resume') ?? flag('session-id');
const session = join(sessions, id);
if (flag('resume') !== undefined && !existsSync(session)) stop(`No conversation found with session ID: ${id}`, 1);
if (flag('session-id') !== undefined && existsSync(session)) stop(`Error: Session ID ${id} is already in use.`, 1);
const before = existsSync(session) ? Number(readFileSync(session, 'utf8')) : 0;
writeFileSync(session, String(before));

function print(parts) {
  const totalUsd = before + usd;
  writeFileSync(session, String(totalUsd));
  const calls = totalUsd / usd;
  const result = {
    type: 'result',
    subtype: 'success',
    is_error: false,
    num_turns: 2,
    session_id: id,
    total_cost_usd: totalUsd,
    usage: { input_tokens: 1000, output_tokens: 50, cache_read_input_tokens: 20, cache_creation_input_tokens: 30 },
    modelUsage: {
      'claude-opus-5-5': {
        inputTokens: 1000 * calls,
        outputTokens: 50 * calls,
        cacheReadInputTokens: 20 * calls,
        cacheCreationInputTokens: 30 * calls,
        costUSD: totalUsd,
      },
    },
    api_error_status: null,
    permission_denials: denials,
    terminal_reason: 'completed',
    ...parts,
  };
  process.stdout.write(JSON.stringify(result));
  return result;
}

/** A child in the background that holds this process's output open. */
function leaveChild() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  note(child.pid);
  child.unref();
}

function apiError(status, text) {
  print({ is_error: true, result: text, api_error_status: status, terminal_reason: 'api_error' });
  process.exitCode = 1;
}

const modes = {
  answer: () => print({ result: JSON.stringify(answer), structured_output: answer }),
  text: () => print({ result: `\`\`\`json\n${JSON.stringify(answer)}\n\`\`\`` }),
  wrong: () => print({ result: '{"nope":1}', structured_output: { nope: 1 } }),
  half: () => process.stdout.write(JSON.stringify({ type: 'result', subtype: 'success', is_error: false }).slice(0, 30)),
  silent: () => undefined,
  crash: () => stop(stderr, 3),
  'left-child': () => {
    leaveChild();
    print({ result: JSON.stringify(answer), structured_output: answer });
    process.exit(0);
  },
  hang: () => {
    process.on('SIGTERM', () => undefined);
    leaveChild();
    writeFileSync(join(folder, 'hangs'), '');
    setInterval(() => undefined, 1000);
  },
  flood: () => {
    const block = 'x'.repeat(65_536);
    const more = () => {
      while (process.stdout.write(block));
      process.stdout.once('drain', more);
    };
    more();
  },
  429: () => apiError(429, 'API Error: Request rejected (429) · slow down'),
  529: () => apiError(529, 'API Error: 529 Overloaded. This is a server-side issue, usually temporary'),
  500: () => apiError(500, 'API Error: 500 Internal server error'),
  401: () => apiError(401, 'Failed to authenticate. API Error: 401 invalid x-api-key'),
  'usage-limit': () => apiError(null, `Claude AI usage limit reached|${Math.floor(Date.now() / 1000) + 3600}`),
  budget: () => {
    const usage = { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
    print({ subtype: 'error_max_budget_usd', is_error: true, usage, errors: ['Reached maximum budget ($0.1)'] });
    process.exitCode = 1;
  },
  'no-shape': () => {
    const errors = ['Failed to provide valid structured output after 5 attempts'];
    print({ subtype: 'error_max_structured_output_retries', is_error: true, errors });
    process.exitCode = 1;
  },
  'no-end': () => {
    print({ subtype: 'error_max_turns', is_error: true, errors: ['Reached maximum number of turns (25)'] });
    process.exitCode = 1;
  },
  'no-login': () => apiError(null, 'Not logged in · Please run /login'),
  'no-credit': () => apiError(400, 'Credit balance is too low'),
  'no-model': () => apiError(404, 'There is an issue with the selected model'),
  'unknown-option': () => stop("error: unknown option '--tools'", 1),
};
modes[mode]();
