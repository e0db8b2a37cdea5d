import { seeded } from '../helpers/seeded.ts';
import { createPlace } from './product.ts';
import type { Place } from './product.ts';

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
  const random = seeded(20_260_101);
  place.git('init', '--quiet', '--initial-branch=main');
  place.write('README.md', '# Large\n');
  place.commit('first');
  for (let at = 0; at < files; at += 1) place.write(`src/part-${at % 7}/file-${at}.js`, sourceText(random, at));
  place.commit('code');
  return place;
}
