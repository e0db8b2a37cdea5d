import { writeSync } from 'node:fs';
import { ConflictError } from '../../src/errors.ts';
import { createPolls } from '../../src/run/polls.ts';
import { createRuntime } from '../../src/runtime.ts';
import { openLocation } from '../helpers/open-location.ts';

/** Casts a ballot for each voter. Arguments: database, vote, choice, voters. Prints what came of each. */
const [location = '', pollId = '', choice = '', ...voters] = process.argv.slice(2);
const runtime = createRuntime('silent');
await using db = await openLocation(location, { runtime });
// The clock of the test stands still; that of votes without an end does not matter.
const polls = createPolls({ db, runtime });
for (const voter of voters) {
  try {
    const { status } = await polls.cast({ pollId, voter, choice, reason: choice });
    writeSync(1, `cast ${status}\n`);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    writeSync(1, 'conflict\n');
  }
}
