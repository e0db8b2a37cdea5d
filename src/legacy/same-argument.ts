import { InvalidInputError } from '../errors.ts';

type Args = Readonly<Record<string, unknown>>;

/**
 * The arguments with `other`, a second spelling of `name`, moved to `name`. Throws `InvalidInputError` when both are
 * given and differ.
 */
export function sameArgument(args: Args, name: string, other: string): Args {
  const { [other]: spelledOtherwise, ...rest } = args;
  if (spelledOtherwise === undefined) return rest;
  const given = args[name];
  if (given === undefined || given === spelledOtherwise) return { ...rest, [name]: spelledOtherwise };
  throw new InvalidInputError(`${name} and ${other} mean the same, and were given different values`, {
    hint: `Give one of them; nothing was changed.`,
    details: { parameters: [name, other] },
  });
}
