import * as z from 'zod';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of a duration such as `500ms`, `300s`, `5m`, `24h`, `7d` or `1.5h`, rounded to whole ones; `null` where the
 * text is none. A number without a unit is none.
 */
function parseDuration(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?(ms|s|m|h|d)$/.exec(text.trim());
  const unit = UNIT_MS[match?.[2] ?? ''];
  return match === null || unit === undefined ? null : Math.round(Number(match[1]) * unit);
}

/** A schema that reads a duration within limits (both inclusive, themselves durations) as milliseconds. */
export function duration(min: string, max: string): z.ZodType<number> {
  const [minMs, maxMs] = [parseDuration(min) ?? 0, parseDuration(max) ?? 0];
  const expected = `expected a duration from ${min} to ${max} with its unit (ms, s, m, h, d), e.g. 500ms, 300s, 24h`;
  return z.string({ error: expected }).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: 'custom', message: `${expected}; got "${text.slice(0, 40)}"` });
    return z.NEVER;
  });
}
