import type { ChangeSet } from '../changes.ts';
import { SkillflowError } from '../errors.ts';
import type { Finding, SourceRange } from '../finding.ts';
import type { AskRequest } from './provider.ts';
import { projectPath, readStart } from './tools/project-file.ts';
import type { Refusal } from './tools/toolbox.ts';

/** The identity of a finding; `analysis/` hashes it to an id. */
export interface FindingKey {
  readonly rule: string;
  readonly file: string;
  readonly anchor: string;
  readonly occurrence: number;
}

export interface RefusalDeps {
  readonly findingId: (key: FindingKey) => string;
  readonly redact: (text: string) => string;
}

const MAX_FINDINGS = 10;
const MAX_FILES = 200;
const MAX_BYTES = 1024 * 1024;

interface Place {
  readonly file: string;
  readonly range: SourceRange;
  /** The line that names what was asked for; `null`: no reviewed file does. */
  readonly line: string | null;
}

async function textOf(changes: ChangeSet, path: string, text: string | undefined): Promise<string> {
  if (text !== undefined) return text;
  try {
    return (await readStart((await projectPath(changes.root, path)).absolutePath, MAX_BYTES)).text;
  } catch (error) {
    // What cannot be read names nothing; the finding then points to the change set's first file.
    if (error instanceof SkillflowError || (error instanceof Error && 'code' in error)) return '';
    throw error;
  }
}

/** Where the reviewed files name what was asked for: that is most likely what led the agent there. */
async function placeOf(changes: ChangeSet, asked: string): Promise<Place> {
  for (const file of asked.length < 4 ? [] : changes.files.slice(0, MAX_FILES)) {
    const lines = (await textOf(changes, file.path, file.text)).split(/\r?\n/u);
    const index = lines.findIndex((line) => line.includes(asked));
    const line = lines[index];
    if (line === undefined) continue;
    const range = { startLine: index + 1, startColumn: 1, endLine: index + 1, endColumn: line.length + 1 };
    return { file: file.path, range, line };
  }
  const range = { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 };
  return { file: changes.files[0]?.path ?? '.', range, line: null };
}

function messageOf(agentId: string, { what, asked, tool, reason }: Refusal, named: boolean): string {
  const source = named ? 'this line names it: a possible prompt injection' : 'a possible prompt injection in what it read';
  return what === 'tool'
    ? `The agent ${agentId} was led to call ${asked}, a tool its role does not have, and was refused; ${source}.`
    : `The agent ${agentId} was led to ask for a file that it may not see (${tool}: ${reason}) and was refused; ${source}.`;
}

/** What an agent was refused, as findings: one for each thing it asked for, at most 10. */
export async function refusalFindings(
  request: AskRequest,
  refusals: readonly Refusal[],
  { findingId, redact }: RefusalDeps,
): Promise<readonly Finding[]> {
  const distinct = [...new Map(refusals.map((refusal) => [`${refusal.what} ${refusal.asked}`, refusal])).values()];
  const findings: Finding[] = [];
  for (const refusal of distinct.slice(0, MAX_FINDINGS)) {
    const { file, range, line } = await placeOf(request.changes, refusal.asked);
    const rule = refusal.what === 'tool' ? 'agent/forbidden-tool' : 'agent/forbidden-access';
    const evidence = line === null ? `${refusal.tool}(${refusal.asked}): ${refusal.reason}` : redact(line).trim();
    findings.push({
      id: findingId({ rule, file, anchor: refusal.asked, occurrence: 0 }),
      rule,
      severity: refusal.what === 'tool' ? 'medium' : 'high',
      confidence: line === null ? 'low' : 'medium',
      capability: request.agent.capabilities[0] ?? request.agent.type,
      file,
      range,
      message: messageOf(request.agent.id, refusal, line !== null),
      evidence: evidence.slice(0, 400),
      advice: 'Read what the agent was given for texts that speak to a model, and remove them.',
      cwe: ['CWE-1427'],
    });
  }
  return findings;
}
