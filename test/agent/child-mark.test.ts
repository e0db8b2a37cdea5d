import { expect, test } from 'vitest';
import { endOrphan, markChild } from '../../src/agent/child-mark.ts';
import type { ChildMark } from '../../src/agent/child-mark.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { Runtime } from '../../src/runtime.ts';

/** A process that stays until it is ended, with its own group. */
async function child(name: string) {
  const runtime: Runtime = createRuntime('silent');
  let started: (pid: number) => void = () => undefined;
  const pid = new Promise<number>((resolve) => (started = resolve));
  const stop = new AbortController();
  const ended = runtime
    .exec(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', name], {
      cwd: '/',
      group: true,
      signal: stop.signal,
      onStart: started,
    })
    .then(
      () => 'ended',
      () => 'stopped',
    );
  const mark = await markChild(runtime, await pid);
  if (mark === null) throw new Error('no mark');
  const said: string[] = [];
  const heard: Runtime = { ...runtime, log: (_level, message) => void said.push(message) };
  return { mark, said, end: (other: ChildMark = mark) => endOrphan(other, heard), stop: () => stop.abort(), ended };
}

test('the very process that was marked is ended', async () => {
  const { end, ended, said } = await child('claude');
  await end();
  expect(await ended).toBe('ended');
  expect(said).toEqual([expect.stringContaining('ended a claude')]);
});

test.each([
  ['was started at another time', 'claude', { startTime: 'another/1' }, []],
  [
    'belongs to another host',
    'claude',
    { host: 'elsewhere' },
    [expect.stringContaining('left alone: it was started on the host')],
  ],
  ['is another program', 'editor', {}, [expect.stringContaining('left alone: it says that it is another program')]],
])('one that %s is left alone', async (_what, name, other, expected) => {
  const { mark, end, stop, ended, said } = await child(name);
  await end({ ...mark, ...other });
  expect(said).toEqual(expected);
  stop();
  expect(await ended).toBe('stopped');
});

test('one that has ended, or never was, is no matter', async () => {
  const { mark, end, stop, ended, said } = await child('claude');
  stop();
  await ended;
  await end();
  await end({ ...mark, pid: 2 ** 22 + 1 });
  expect(said).toEqual([]);
});
