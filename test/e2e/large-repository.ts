import { createPlace } from './product.ts';
import type { Place } from './product.ts';

/** Numbers in [0, 1), always the same ones for a seed (source: mulberry32, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function sourceText(random: () => number, number: number): string {
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)] ?? '';
  const lines = ["import { exec } from 'node:child_process';", ''];
  for (let at = 0; at < 30; at += 1) {
    const name = `${pick(['read', 'make', 'take', 'find'])}${pick(['Part', 'Whole', 'Edge', 'Side'])}${number}x${at}`;
    lines.push(`export function ${name}(input, other) {`);
    for (let line = Math.floor(random() * 6); line >= 0; line -= 1)
      lines.push(
        `  if (input ${pick(['>', '<', '!=='])} ${Math.floor(random() * 1e6)}) other ${pick(['+=', '-=', '*='])} ${random()};`,
      );
    if (at % 10 === 0) lines.push(`  exec(\`tool-${at} \${input.query.name}\`);`);
    lines.push('  return other;', '}', '');
  }
  return lines.join('\n');
}

/** A repository with so many files of code, with faults in each, that its review takes a second or so. */
export function createLargeRepository(files: number): Place {
  const place = createPlace();
  const random = seededRandom(20_260_101);
  place.git('init', '--quiet', '--initial-branch=main');
  place.write('README.md', '# Large\n');
  place.commit('first');
  for (let at = 0; at < files; at += 1) place.write(`src/part-${at % 7}/file-${at}.js`, sourceText(random, at));
  place.commit('code');
  return place;
}
