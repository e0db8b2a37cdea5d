import * as z from 'zod';
import { ForbiddenError, InvalidInputError, SkillflowError } from '../../errors.ts';
import type { AskRequest } from '../provider.ts';
import type { ReportedFinding } from '../answer-schema.ts';
import type { AgentTool, AgentToolDeps, ToolContext } from './agent-tool.ts';
import { gitDiffTool } from './git-diff.ts';
import { grepTool } from './grep.ts';
import { listFilesTool } from './list-files.ts';
import { memorySearchTool, memoryStoreTool } from './shared-memory.ts';
import { OutsideRootError } from './project-file.ts';
import { readFileTool } from './read-file.ts';
import { reportFindingTool } from './report-finding.ts';
import { sendMessageTool } from './send-message.ts';

const ALL: readonly AgentTool[] = [
  readFileTool,
  listFilesTool,
  grepTool,
  gitDiffTool,
  memorySearchTool,
  memoryStoreTool,
  reportFindingTool,
  sendMessageTool,
];

/** A call that the agent was not allowed to make. */
export interface Refusal {
  readonly tool: string;
  /** `tool`: not one of its role's; `outside`: of the root; `secret`: a place of secrets in it. */
  readonly what: 'tool' | 'outside' | 'secret';
  /** The argument that was refused, shortened, without secrets; for a tool its name. */
  readonly asked: string;
  readonly reason: string;
  /** Files whose lines the agent's tools had shown it before, the newest first. */
  readonly after: readonly string[];
}

/** What came of a call: the text for the model. */
export interface ToolResult {
  readonly outcome: 'ok' | 'error' | 'refused';
  readonly text: string;
}

/** The tools of one agent in one attempt. */
export interface Toolbox {
  /** What the model is offered; JSON Schema of the input. */
  readonly definitions: readonly {
    readonly name: string;
    readonly description: string;
    readonly inputSchema: Readonly<Record<string, unknown>>;
  }[];
  /** Never rejects, except when the signal ends it; each call is told to `onEvent` of the request. */
  call(name: string, input: unknown): Promise<ToolResult>;
  /** Findings that were reported by a call. */
  reported(): readonly ReportedFinding[];
  refusals(): readonly Refusal[];
}

const MAX_REPORTED = 200;
const MAX_REFUSALS = 50;
const MAX_CALLS = 200;

function askedOf(input: unknown): string {
  const parsed = z
    .object({ path: z.unknown(), folder: z.unknown(), file: z.unknown(), paths: z.unknown() })
    .partial()
    .safeParse(input);
  const { path, folder, file, paths } = parsed.data ?? {};
  const first = path ?? folder ?? file ?? paths ?? input;
  return typeof first === 'string' ? first : (JSON.stringify(first) ?? '');
}

function errorText(thrown: unknown): string {
  if (thrown instanceof z.ZodError) return `wrong input: ${z.prettifyError(thrown).slice(0, 500)}`;
  if (thrown instanceof SkillflowError) return thrown.hint === undefined ? thrown.message : `${thrown.message}. ${thrown.hint}`;
  // An error of the file system names absolute paths; its code says enough.
  if (thrown instanceof Error && 'code' in thrown) return `not readable (${String(thrown.code)})`;
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What an agent has reported, and what it was refused, in one attempt. */
function createRecord() {
  const reported: ReportedFinding[] = [];
  const refusals: Refusal[] = [];
  const seen = new Set<string>();
  return {
    reported,
    refusals,
    saw: (path: string): void => {
      seen.delete(path);
      seen.add(path);
    },
    report: (finding: ReportedFinding): void => {
      if (reported.length === MAX_REPORTED) throw new InvalidInputError(`at most ${MAX_REPORTED} findings can be reported`);
      reported.push(finding);
    },
    refuse: (refusal: Omit<Refusal, 'after'>): ToolResult => {
      if (refusals.length < MAX_REFUSALS) refusals.push({ ...refusal, after: [...seen].toReversed() });
      return { outcome: 'refused', text: `refused: ${refusal.reason}. Go on with the task inside the project.` };
    },
  };
}

/** The tools of the agent's role, and those of them that serve the kind of its step. */
function toolsOf({ agent, kind }: AskRequest): { readonly owned: readonly AgentTool[]; readonly tools: readonly AgentTool[] } {
  const owned = ALL.filter(({ name }) => agent.role.tools.includes(name));
  // A judge votes on what others found: a finding of its own would come after the vote.
  return { owned, tools: owned.filter(({ name }) => kind !== 'judge' || name !== 'report_finding') };
}

/** Calls tools by name; what they throw becomes an answer, as long as the request's signal lets them go on. */
function createCaller(request: AskRequest, deps: AgentToolDeps, { report, refuse, saw }: ReturnType<typeof createRecord>) {
  const { owned, tools } = toolsOf(request);
  const { runId, stepId, agent, changes, signal } = request;
  const context: ToolContext = { ...deps, scope: { runId, stepId, agentId: agent.id }, changes, signal, report, saw };
  const shown = (text: string): string => deps.redact(text.slice(0, 300));
  let calls = 0;
  const attempt = async (name: string, input: unknown): Promise<ToolResult> => {
    calls += 1;
    if (calls > MAX_CALLS) return { outcome: 'error', text: `no more than ${MAX_CALLS} calls: answer now` };
    const tool = tools.find((candidate) => candidate.name === name);
    if (tool === undefined && owned.some((candidate) => candidate.name === name)) {
      return { outcome: 'error', text: `${name} is not available while judging: say it in your text` };
    }
    if (tool === undefined) {
      return refuse({ tool: shown(name), what: 'tool', asked: shown(name), reason: `your role has no tool ${shown(name)}` });
    }
    try {
      return { outcome: 'ok', text: await tool.call(input, context) };
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof ForbiddenError) {
        const what = thrown instanceof OutsideRootError ? 'outside' : 'secret';
        return refuse({ tool: name, what, asked: shown(askedOf(input)), reason: shown(thrown.message) });
      }
      return { outcome: 'error', text: deps.redact(errorText(thrown)) };
    }
  };
  return { tools, shown, attempt };
}

/** Offers the tools of the agent's role, and only those. Everything reaches only inside the change set's root. */
export function createToolbox(request: AskRequest, deps: AgentToolDeps): Toolbox {
  const record = createRecord();
  const { tools, shown, attempt } = createCaller(request, deps, record);
  return {
    definitions: tools.map(({ name, description, input }) => ({ name, description, inputSchema: z.toJSONSchema(input) })),
    call: async (name, input) => {
      const start = deps.runtime.ticks();
      const result = await attempt(name, input);
      request.onEvent?.({
        type: 'tool_called',
        tool: name.slice(0, 100),
        input: shown(JSON.stringify(input) ?? ''),
        outcome: result.outcome,
        detail: result.outcome === 'ok' ? `${result.text.length} characters` : shown(result.text),
        durationMs: Math.max(0, Math.round(deps.runtime.ticks() - start)),
      });
      return result;
    },
    reported: () => record.reported,
    refusals: () => record.refusals,
  };
}
