import { createHash } from 'node:crypto';

/** What makes two findings of different runs the same one. */
export interface FindingIdentity {
  /** Rule id, `<family>/<kebab-name>`. */
  readonly rule: string;
  /** Path from the project root, `/`-separated. */
  readonly file: string;
  /** The flagged text (never line numbers); white space is normalized here. For a secret: its fingerprint, not itself. */
  readonly anchor: string;
  /** How many earlier findings of this rule in this file have the same anchor; 0 for the first. */
  readonly occurrence: number;
}

/** White space runs become one blank, ends are trimmed: re-indented or re-wrapped text keeps its anchor. */
function normalizeAnchor(text: string): string {
  return text.replace(/\s+/gu, ' ').trim();
}

/** The stable id of a finding: `f_` + the first 16 hex digits of SHA-256 over rule, file, anchor and occurrence. */
export function findingId(identity: FindingIdentity): string {
  const parts = [identity.rule, identity.file, normalizeAnchor(identity.anchor), String(identity.occurrence)];
  return `f_${createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16)}`;
}

/**
 * Numbers the findings of one file in the order they are made, so that equal anchors get different ids.
 * `next(rule, anchor)` gives the id of the next finding.
 */
export function createFindingIds(file: string): (rule: string, anchor: string) => string {
  const seen = new Map<string, number>();
  return (rule, anchor) => {
    const key = `${rule}\0${normalizeAnchor(anchor)}`;
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    return findingId({ rule, file, anchor, occurrence });
  };
}
