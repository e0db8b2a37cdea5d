import { InvalidInputError } from '../errors.ts';
import { described } from '../printable.ts';
import type { ToolListing } from '../tools/listing.ts';
import { GLOBAL_FLAGS, flagsOf } from './arguments.ts';
import { OWN_COMMANDS } from './help.ts';

/** What may follow which words: `''` for the first word. */
function wordsAfter(listings: readonly ToolListing[]): ReadonlyMap<string, readonly string[]> {
  const after = new Map<string, Set<string>>();
  const add = (before: string, word: string): void => {
    after.set(before, (after.get(before) ?? new Set()).add(word));
  };
  for (const { words, flags = {} } of OWN_COMMANDS) {
    const name = words.split(' ')[0] ?? words;
    add('', name);
    for (const flag of Object.keys(flags)) add(name, `--${flag}`);
  }
  for (const shell of ['bash', 'zsh', 'fish']) add('completions', shell);
  for (const listing of listings) {
    const command = listing.cli?.command ?? [];
    command.forEach((word, at) => add(command.slice(0, at).join(' '), word));
    for (const flag of flagsOf(listing)) add(command.join(' '), `--${flag}`);
  }
  return new Map([...after].map(([before, words]) => [before, [...words].sort()]));
}

const globals = Object.keys(GLOBAL_FLAGS).map((name) => `--${name}`);

function bash(after: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...after].map(([before, words]) => `    ${JSON.stringify(before)}) words="${words.join(' ')}" ;;`);
  // Only words of commands lead on: flags, their values and what commands are given may stand between them.
  const commands = [...after.keys()].filter((before) => before !== '').map((before) => JSON.stringify(before));
  return `_skillflow() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${before:+$before }$word" in ${commands.join('|')}) before="\${before:+$before }$word" ;; esac
  done
  case "$before" in
${cases.join('\n')}
  esac
  COMPREPLY=( $(compgen -W "$words ${globals.join(' ')}" -- "$current") )
}
complete -o default -F _skillflow skillflow
`;
}

function fish(after: ReadonlyMap<string, readonly string[]>): string {
  const lines = [...after].map(([before, words]) => {
    const condition =
      before === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${before.split(' ').at(-1) ?? before}`;
    return `complete -c skillflow -f -n "${condition}" -a "${words.join(' ')}"`;
  });
  return [...lines, `complete -c skillflow -f -a "${globals.join(' ')}"`, ''].join('\n');
}

/** A completion script for one shell. Throws `InvalidInputError` for a shell it does not know. */
export function completions(shell: string | undefined, listings: readonly ToolListing[]): string {
  const after = wordsAfter(listings);
  if (shell === 'bash') return bash(after);
  if (shell === 'zsh') return `autoload -U +X bashcompinit && bashcompinit\n${bash(after)}`;
  if (shell === 'fish') return fish(after);
  throw new InvalidInputError(`completions need a shell, one of bash, zsh, fish; got ${described(shell)}`, {
    hint: 'For instance: skillflow completions bash > /etc/bash_completion.d/skillflow',
  });
}
