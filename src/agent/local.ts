import type { Ballot, Vote } from '../ballot.ts';
import type { ChangeSet } from '../changes.ts';
import { SkillflowError, toSkillflowError } from '../errors.ts';
import type { Finding, Note } from '../finding.ts';
import type { AskRequest, AskResult, Provider, StepOutput } from './provider.ts';

/** What the local provider needs of the analyzers; `analysis/` has it. */
export interface LocalAnalysis extends AsyncDisposable {
  /** What a capability can do; both `false` for an unknown one. */
  can(capability: string): { readonly analyze: boolean; readonly examine: boolean };
  analyze(
    capability: string,
    changes: ChangeSet,
    options: { readonly signal: AbortSignal; readonly onProgress?: (done: number, total: number) => void },
  ): Promise<{
    readonly findings: readonly Finding[];
    readonly notes: readonly Note[];
    readonly stats: Readonly<Record<string, number>>;
  }>;
  examine(
    capability: string,
    findings: readonly Finding[],
    changes: ChangeSet,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly { readonly findingId: string; readonly vote: Vote; readonly reason: string }[]>;
}

const EMPTY: StepOutput = { findings: [], ballots: [], notes: [], stats: {} };

function unionOf(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((finding) => [finding.id, finding])).values()];
}

/** One ballot from the opinions that an agent's capabilities gave: against itself, it abstains. */
function toBallot(voter: string, subject: string, opinions: readonly { readonly vote: Vote; readonly reason: string }[]): Ballot {
  const confirm = opinions.find(({ vote }) => vote === 'confirm');
  const reject = opinions.find(({ vote }) => vote === 'reject');
  if (confirm !== undefined && reject !== undefined) {
    return { subject, voter, vote: 'abstain', reason: `its own evidence disagrees: ${confirm.reason} But: ${reject.reason}` };
  }
  const opinion = confirm ?? reject;
  if (opinion !== undefined) return { subject, voter, vote: opinion.vote, reason: opinion.reason };
  return { subject, voter, vote: 'abstain', reason: opinions[0]?.reason ?? 'it has no evidence about this' };
}

/**
 * Agents that think by deterministic analyzers: offline, no model, the same answer every time.
 *
 * @param modelHint says which model could be used and how, for what only a model can do; `null` where none was found
 */
export function createLocalProvider(
  analysis: LocalAnalysis,
  modelHint: () => Promise<string | null> = async () => null,
): Provider {
  const hinted = async (reason: string): Promise<string> => {
    const hint = await modelHint();
    return hint === null ? reason : `${reason}; ${hint}`;
  };
  const work = async (request: AskRequest, capabilities: readonly string[]): Promise<StepOutput> => {
    const findings: Finding[] = [];
    const notes: Note[] = [];
    const stats: Record<string, number> = {};
    for (const [index, capability] of capabilities.entries()) {
      const onProgress = (done: number, total: number): void =>
        request.onProgress?.((index + done / Math.max(1, total)) / capabilities.length, capability);
      onProgress(0, 1);
      const result = await analysis.analyze(capability, request.changes, { signal: request.signal, onProgress });
      findings.push(...result.findings);
      notes.push(...result.notes);
      for (const [name, value] of Object.entries(result.stats)) stats[`${capability}.${name}`] = value;
    }
    return { findings: unionOf(findings), ballots: [], notes, stats };
  };

  const judge = async (request: AskRequest, capabilities: readonly string[]): Promise<StepOutput> => {
    const subjects = unionOf(
      request.sees.flatMap(({ agentId, output }) => (agentId === request.agent.id ? [] : output.findings)),
    );
    const opinions = new Map(subjects.map(({ id }): [string, { vote: Vote; reason: string }[]] => [id, []]));
    for (const capability of capabilities) {
      for (const { findingId, vote, reason } of await analysis.examine(capability, subjects, request.changes, {
        signal: request.signal,
      })) {
        opinions.get(findingId)?.push({ vote, reason });
      }
    }
    return { ...EMPTY, ballots: [...opinions].map(([subject, given]) => toBallot(request.agent.id, subject, given)) };
  };

  const merge = async (request: AskRequest, capabilities: readonly string[]): Promise<StepOutput> => {
    const own = await work(request, capabilities);
    const seen = request.sees.flatMap(({ output }) => output.findings);
    return { ...own, findings: unionOf([...seen, ...own.findings]) };
  };

  const answer = async (request: AskRequest): Promise<AskResult> => {
    const local = (capability: string): boolean => Object.values(analysis.can(capability)).includes(true);
    const able = request.agent.capabilities.filter(local);
    const unable = request.agent.capabilities.filter((capability) => !local(capability));
    const doing = request.kind === 'judge' ? 'examine' : 'analyze';
    // Merging needs no capability of its own: it is a union of what the others found.
    if (able.length === 0 && request.kind === 'merge' && request.sees.length === 0) {
      return { status: 'skipped', code: 'nothing_to_merge', reason: 'there is nothing to merge: nobody before it did its work' };
    }
    if (able.length === 0 && request.kind !== 'merge') {
      const why =
        unable.length > 0 ? `no local analyzer has the capability ${unable.join(', ')}` : 'it names no capability of an analyzer';
      const reason = `${why}; it needs a model provider, and this run has none`;
      return { status: 'skipped', code: 'no_provider', reason: await hinted(reason) };
    }
    // One that only judges has nothing to report, and one that only reports abstains from judging: neither is a fault.
    const fit = able.filter((capability) => analysis.can(capability)[doing]);
    const output = await { work, judge, merge }[request.kind](request, fit);
    if (unable.length === 0 || request.kind === 'judge') return { status: 'completed', output };
    const message = await hinted(`${unable.join(', ')} needs a model provider and did not run`);
    const note: Note = { code: 'no_provider', message };
    return { status: 'completed', output: { ...output, notes: [...output.notes, note] } };
  };

  return {
    name: 'local',
    paid: false,
    ask: async (request) => {
      try {
        return await answer(request);
      } catch (thrown) {
        const error = toSkillflowError(thrown);
        const reason =
          error instanceof SkillflowError && error.hint !== undefined ? `${error.message}. ${error.hint}` : error.message;
        return { status: 'failed', code: error.code, reason, retryable: error.retryable };
      }
    },
    [Symbol.asyncDispose]: () => analysis[Symbol.asyncDispose](),
  };
}
