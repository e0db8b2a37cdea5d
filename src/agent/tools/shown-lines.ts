/**
 * A text's lines without secrets. A secret over several lines is hidden line by line where hiding it at once would
 * join lines, so that line numbers stay true.
 */
export function redactedLines(text: string, redact: (text: string) => string): readonly string[] {
  const lines = text.split(/\r?\n/u);
  const whole = redact(lines.join('\n')).split('\n');
  return whole.length === lines.length ? whole : lines.map(redact);
}

/** Lines with their numbers, `<number>| <line>`, each cut at 500 characters. */
export function numbered(lines: readonly string[], first: number): string {
  return lines.map((line, i) => `${first + i}| ${line.length > 500 ? `${line.slice(0, 500)}…` : line}`).join('\n');
}

/** A text of at most so many characters, with a word about what was cut. */
export function capped(text: string, most: number, how: string): string {
  return text.length <= most ? text : `${text.slice(0, most)}\n… cut at ${most} characters: ${how}`;
}
