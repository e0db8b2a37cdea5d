import { InvalidInputError } from '../../errors.ts';
import { type PatternNode, parsePattern } from './parse-pattern.ts';

/** A step of the machine: a character that must fit, a place that must hold, a fork, or the end. */
type Instruction =
  | { readonly op: 'one'; readonly fits: (character: string) => boolean }
  | { readonly op: 'assert'; readonly where: 'start' | 'end' | 'edge' | 'inside' }
  | { readonly op: 'fork'; readonly to: readonly number[] }
  | { readonly op: 'match' };

const MAX_INSTRUCTIONS = 2_000;

/** The instructions of a node, to be put at `at`; they go on behind their last one. */
function compile(node: PatternNode, at: number): readonly Instruction[] {
  if (at > MAX_INSTRUCTIONS) throw new InvalidInputError('the pattern is too large');
  if (node.type === 'one') return [{ op: 'one', fits: node.fits }];
  if (node.type === 'assert') return [{ op: 'assert', where: node.where }];
  if (node.type === 'either') return compileEither(node.options, at);
  if (node.type === 'repeat') return compileRepeat(node, at);
  const program: Instruction[] = [];
  for (const part of node.parts) program.push(...compile(part, at + program.length));
  return program;
}

function compileEither(options: readonly PatternNode[], at: number): readonly Instruction[] {
  const starts: number[] = [];
  const bodies: Instruction[][] = [];
  let next = at + 1;
  for (const option of options) {
    starts.push(next);
    const body = [...compile(option, next)];
    bodies.push(body);
    next += body.length + 1;
  }
  return [{ op: 'fork', to: starts }, ...bodies.flatMap((body) => [...body, { op: 'fork' as const, to: [next] }])];
}

function compileRepeat(node: Extract<PatternNode, { type: 'repeat' }>, at: number): readonly Instruction[] {
  const program: Instruction[] = [];
  for (let i = 0; i < node.min; i += 1) program.push(...compile(node.part, at + program.length));
  if (node.max === null) {
    const fork = at + program.length;
    const body = compile(node.part, fork + 1);
    return [...program, { op: 'fork', to: [fork + 1, fork + body.length + 2] }, ...body, { op: 'fork', to: [fork] }];
  }
  for (let i = node.min; i < node.max; i += 1) {
    const fork = at + program.length;
    const body = compile(node.part, fork + 1);
    program.push({ op: 'fork', to: [fork + 1, fork + 1 + body.length] }, ...body);
  }
  return program;
}

const isWord = (character: string): boolean => /^\w$/u.test(character);

function holds(where: 'start' | 'end' | 'edge' | 'inside', text: string, at: number): boolean {
  if (where === 'start') return at === 0;
  if (where === 'end') return at === text.length;
  const edge = isWord(text.charAt(at - 1)) !== isWord(text.charAt(at));
  return edge === (where === 'edge');
}

/**
 * A regular expression whose time grows with pattern × text and no faster: all ways are followed at once, none is
 * tried again (source: K. Thompson, Regular expression search algorithm, CACM 11(6), 1968). Knows characters, `.`,
 * classes, `\d \w \s \b` and their opposites, groups, `|`, `* + ? {m,n}`, `^ $`; no look-around, no back references.
 * Characters are UTF-16 units. A pattern that is not understood is an {@link InvalidInputError}.
 *
 * @returns whether a text holds a match somewhere
 */
export function linearPattern(source: string, ignoreCase: boolean): (text: string) => boolean {
  const body = compile(parsePattern(source, ignoreCase), 0);
  if (body.length > MAX_INSTRUCTIONS) throw new InvalidInputError('the pattern is too large');
  const program: readonly Instruction[] = [...body, { op: 'match' }];

  const follow = (start: number, text: string, at: number, reached: Set<number>): boolean => {
    const open = [start];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (reached.has(index)) continue;
      reached.add(index);
      const instruction = program[index];
      if (instruction?.op === 'match') return true;
      if (instruction?.op === 'fork') open.push(...instruction.to);
      if (instruction?.op === 'assert' && holds(instruction.where, text, at)) open.push(index + 1);
    }
    return false;
  };

  return (text) => {
    let now = new Set<number>();
    for (let at = 0; ; at += 1) {
      if (follow(0, text, at, now)) return true;
      if (at >= text.length) return false;
      const character = text.charAt(at);
      const next = new Set<number>();
      for (const index of now) {
        const instruction = program[index];
        if (instruction?.op !== 'one' || !instruction.fits(character)) continue;
        if (follow(index + 1, text, at + 1, next)) return true;
      }
      now = next;
    }
  };
}
