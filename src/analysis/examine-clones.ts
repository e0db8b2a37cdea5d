import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import type { Examination, Examiner, TreeContext } from './analyzer.ts';

const MAX_FILES = 500;
const MIN_LENGTH = 12;
const MAX_PLACES = 3;

/** The flagged lines without layout; short ones stand everywhere. */
function flaggedText(text: string, finding: Finding): string | null {
  const lines = text.split('\n').slice(finding.range.startLine - 1, finding.range.endLine);
  const flagged = lines.join(' ').replace(/\s+/gu, ' ').trim();
  return flagged.length < MIN_LENGTH ? null : flagged;
}

async function readNormalized(context: TreeContext, file: SourceFile): Promise<string | null> {
  const text = await context.read(file).catch(() => null);
  return text?.replace(/\s+/gu, ' ') ?? null;
}

/** Files other than its own, under review, that hold the flagged lines too. */
async function otherPlaces(context: TreeContext, findings: readonly Finding[]): Promise<Map<string, string[]>> {
  const files = context.changes.files.slice(0, MAX_FILES);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const flagged = new Map<string, string>();
  for (const finding of findings) {
    const file = byPath.get(finding.file);
    const text = file === undefined ? null : await context.read(file).catch(() => null);
    const part = text === null ? null : flaggedText(text, finding);
    if (part !== null) flagged.set(finding.id, part);
  }
  const places = new Map([...flagged.keys()].map((id): [string, string[]] => [id, []]));
  if (flagged.size === 0) return places;
  for (const file of files) {
    const text = await readNormalized(context, file);
    for (const finding of findings) {
      const part = flagged.get(finding.id);
      if (part !== undefined && file.path !== finding.file && text?.includes(part) === true)
        places.get(finding.id)?.push(file.path);
    }
  }
  return places;
}

/**
 * Says of each finding whether its lines stand in other files under review too. That is worth knowing, but no evidence
 * of whether the finding is true, so the vote is always an abstention with the reason.
 */
export function createClonesExaminer(): Examiner {
  return {
    capability: 'clones',
    async examine(findings, context) {
      const places = await otherPlaces(context, findings);
      return findings.map((finding): Examination => {
        const found = places.get(finding.id);
        const abstain = (reason: string): Examination => ({ findingId: finding.id, vote: 'abstain', reason });
        if (found === undefined)
          return abstain('the flagged lines are too short, or not under review, to look for copies of them');
        if (found.length === 0)
          return abstain('the flagged lines stand in no other file under review, which says nothing of the finding');
        const more = found.length > MAX_PLACES ? ` and ${found.length - MAX_PLACES} more` : '';
        return abstain(
          `the flagged lines also stand in ${found.slice(0, MAX_PLACES).join(', ')}${more}; copies do not show whether it is true`,
        );
      });
    },
  };
}
