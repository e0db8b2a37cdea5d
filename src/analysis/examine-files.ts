import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import type { Examination, TreeContext } from './analyzer.ts';

/** A vote without the finding that it is for. */
export type Judgement = Omit<Examination, 'findingId'>;

export const confirm = (reason: string): Judgement => ({ vote: 'confirm', reason });
export const reject = (reason: string): Judgement => ({ vote: 'reject', reason });
export const abstain = (reason: string): Judgement => ({ vote: 'abstain', reason });

/** Judges findings of one file, given its text. Returns one judgement a finding, in order. */
export type FileJudge = (findings: readonly Finding[], file: SourceFile, text: string) => readonly Judgement[];

/**
 * Judges findings file by file: reads each file once, abstains where it cannot be read or is not under review, and
 * from findings of capabilities that are not `about`. Keeps the order of the findings. Rejects only as
 * `context.read` does on cancellation.
 */
export async function examineFiles(
  findings: readonly Finding[],
  context: TreeContext,
  about: readonly string[],
  judge: FileJudge,
): Promise<readonly Examination[]> {
  const judgements = new Map<string, Judgement>();
  const byFile = new Map<string, Finding[]>();
  for (const finding of findings) {
    if (!about.includes(finding.capability)) continue;
    const group = byFile.get(finding.file);
    if (group === undefined) byFile.set(finding.file, [finding]);
    else group.push(finding);
  }
  const files = new Map(context.changes.files.map((file) => [file.path, file]));
  for (const [path, group] of byFile) {
    const judged = await judgeFile(group, files.get(path), context, judge);
    group.forEach((finding, index) => judgements.set(finding.id, judged[index] ?? abstain('no judgement was made')));
  }
  return findings.map((finding) => ({
    findingId: finding.id,
    ...(judgements.get(finding.id) ?? abstain(`no evidence of its own about ${finding.capability} findings`)),
  }));
}

async function judgeFile(
  group: readonly Finding[],
  file: SourceFile | undefined,
  context: TreeContext,
  judge: FileJudge,
): Promise<readonly Judgement[]> {
  if (file === undefined) return group.map((finding) => abstain(`${finding.file} is not among the files under review`));
  let text: string;
  try {
    text = await context.read(file);
  } catch (error) {
    if (context.signal.aborted) throw error;
    return group.map(() => abstain(`${file.path} cannot be read: ${error instanceof Error ? error.message : String(error)}`));
  }
  return judge(group, file, text);
}
