import type { ChangeSet } from '../changes.ts';
import { CancelledError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { TreeContext } from './analyzer.ts';
import { readText } from './file-tasks.ts';
import { type Git, openGit } from './git.ts';

export interface TreeContextDeps {
  readonly runtime: Runtime;
  readonly changes: ChangeSet;
  readonly signal: AbortSignal;
}

/**
 * What tree analyzers and examiners work with. `git` rejects with `UnavailableError` where the project is in no
 * repository; `read` rejects as `node:fs` does when a file has gone.
 */
export function createTreeContext({ runtime, changes, signal }: TreeContextDeps): TreeContext {
  let opened: Promise<Git> | undefined;
  return {
    changes,
    signal,
    async git(args) {
      if (changes.git === null) {
        throw new UnavailableError('the project is in no git repository', { hint: 'Run `git init`, or do without history.' });
      }
      opened ??= openGit({ runtime, root: changes.root, signal });
      return (await opened)(args);
    },
    read(file) {
      return signal.aborted ? Promise.reject(new CancelledError('the analysis was cancelled')) : readText(file);
    },
  };
}
