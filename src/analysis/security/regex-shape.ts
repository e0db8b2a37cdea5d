/**
 * Whether a regular expression has a repeated group whose repetitions can match one text in many ways:
 * `(a+)+`, `(\w*)*`, `(a|aa)+`. Conservative: only groups of one repeated item, with nothing that must stand between
 * the repetitions, and groups of alternatives of which one begins another.
 */
export function isCatastrophic(source: string): boolean {
  for (const group of repeatedGroups(source)) {
    if (isOneRepeatedItem(group) || hasOverlappingAlternatives(group)) return true;
  }
  return false;
}

/** Bodies of groups that are repeated without an upper bound. */
function repeatedGroups(source: string): string[] {
  const found: string[] = [];
  const open: number[] = [];
  let inClass = false;
  for (let i = 0; i < source.length; i += 1) {
    const char = source[i];
    if (char === '\\') i += 1;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '(') open.push(i);
    else if (char === ')') {
      const start = open.pop();
      if (start !== undefined && /^(?:[*+]|\{\d+,\})/u.test(source.slice(i + 1, i + 12))) {
        found.push(source.slice(start + 1, i).replace(/^\?(?::|<\w+>)/u, ''));
      }
    }
  }
  return found;
}

const ITEM = String.raw`(?:\\.|\[(?:\\.|[^\]\\])+\]|[^\\[\]()|*+?{}^$])`;
const UNBOUNDED = String.raw`(?:[*+]|\{\d+,\d*\})\??`;
const ONE_REPEATED = new RegExp(String.raw`^(?:${ITEM}[*?])?${ITEM}${UNBOUNDED}(?:${ITEM}[*?]|\.)?$`, 'u');

function isOneRepeatedItem(body: string): boolean {
  return ONE_REPEATED.test(flatten(body));
}

const OPTIONAL_GROUP = /^\((?:\?:)?[^()]*\)[?*]/u;
const GROUPED_ITEM = new RegExp(String.raw`\((?:\?:)?(${ITEM}(?:${UNBOUNDED})?)\)(?![?*+{])|\((?:\?:)?(${ITEM})\)`, 'gu');

/** Takes away an optional group at the front, and the parentheses around single items. */
function flatten(body: string): string {
  return body
    .replace(OPTIONAL_GROUP, '')
    .replace(GROUPED_ITEM, (_whole, one: string | undefined, other: string | undefined) => one ?? other ?? '');
}

function hasOverlappingAlternatives(body: string): boolean {
  if (/[()[\]\\*?{}+]/u.test(body) || !body.includes('|')) return false;
  const parts = body.split('|').filter((part) => part !== '');
  return parts.some((one, i) => parts.some((other, j) => i !== j && isPower(one, other)));
}

/** Whether a longer alternative is the shorter one repeated, or both are the same. */
function isPower(one: string, other: string): boolean {
  return other.length >= one.length && other.length % one.length === 0 && one.repeat(other.length / one.length) === other;
}
