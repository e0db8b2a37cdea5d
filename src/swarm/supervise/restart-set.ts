import { InvalidInputError } from '../../errors.ts';

/** OTP's strategies, without the one for children that are made on the way. */
export type RestartStrategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/**
 * Who is started again after a failure, in order of start; whoever of them still works is stopped first, in reverse order
 * (source: erlang.org/doc/system/sup_princ, "Restart Strategy").
 * @param startedOrder unique ids in order of start
 *
 * @throws InvalidInputError `failed` was never started
 */
export function restartSet(strategy: RestartStrategy, startedOrder: readonly string[], failed: string): readonly string[] {
  const at = startedOrder.indexOf(failed);
  if (at === -1) {
    throw new InvalidInputError(`${failed} failed, and is none of the started: ${startedOrder.join(', ')}`, {
      hint: 'Give the id of one that was started.',
    });
  }
  if (strategy === 'one_for_one') return [failed];
  return strategy === 'one_for_all' ? startedOrder : startedOrder.slice(at);
}
