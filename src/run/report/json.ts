import type { Report } from './report.ts';

/** Characters that a terminal or an editor would act upon or hide; JSON itself escapes only those below U+0020. */
const ACTIVE = /[\u{7f}-\u{9f}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return String.raw`\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}

/**
 * JSON with 2 spaces of indent and a line break at its end. Control, bidi and invisible format characters are written
 * as `\uXXXX`, so that showing the file does no harm; parsing gives back the same value.
 */
export function stringify(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(ACTIVE, escapeUnits)}\n`;
}

/**
 * The whole report for programs: the members of {@link Report} after `schema: 'skillflow.report/1'`, keys always in
 * the same order.
 */
export function renderJson(report: Report): string {
  return stringify({ schema: 'skillflow.report/1', ...report });
}
