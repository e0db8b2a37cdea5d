import { openSync, writeSync } from 'node:fs';
import { errorBody, toSkillflowError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { Note } from './ledger.ts';
import { openMemory } from './open-memory.ts';
import type { Report, Task, ToParent, ToWorker } from './worker-messages.ts';
import { createWriter, type Kind } from './writer.ts';

/** A process that writes and reads a memory as its one argument says (JSON of `Task`), with its parent as messenger. */

const task: Task = JSON.parse(process.argv[2] ?? '{}');
const runtime = createRuntime('silent');

function tell(message: ToParent): void {
  process.send?.(message);
}

const ledger = task.ledger === null ? null : openSync(task.ledger, 'a');
function note(line: Note): void {
  // One system call, so that it is in the file also when the process is killed right after.
  if (ledger !== null) writeSync(ledger, `${JSON.stringify(line)}\n`);
}

const inbox: Extract<ToWorker, { readonly see: unknown }>[] = [];
let begin: () => void = () => undefined;
const begun = new Promise<void>((resolve) => {
  begin = resolve;
});
process.on('message', (message: ToWorker) => {
  if ('go' in message) begin();
  else inbox.push(message);
});

let opened = await openMemory(task.path, runtime);
/** The memory of whichever database is open. */
const memory = new Proxy(opened.memory, { get: (_target, name) => Reflect.get(opened.memory, name) });

/** What others say they wrote, seen by this process's very next calls? */
async function look(report: { errors: string[] }): Promise<number> {
  let seen = 0;
  for (const { see } of inbox.splice(0)) {
    const entry = await memory.get({ namespace: 'told', key: see.key });
    if (entry === undefined || entry.version < see.version)
      report.errors.push(`get ${see.key} saw version ${entry?.version}, after ${see.version} was acknowledged`);
    const { results } = await memory.search({ query: see.token });
    const found = results.some(({ key }) => key === see.key);
    const after = await memory.get({ namespace: 'told', key: see.key });
    if (!found && after?.version === see.version) report.errors.push(`search ${see.token} did not find ${see.key}`);
    const { entries } = await memory.list({ namespace: 'told', prefix: see.key });
    if ((entries[0]?.version ?? 0) < see.version)
      report.errors.push(`list ${see.key} saw version ${entries[0]?.version}, after ${see.version}`);
    seen += 1;
  }
  return seen;
}

async function announce(n: number): Promise<void> {
  const token = `${task.name}told${n}z`;
  const { version } = await memory.store({ namespace: 'told', key: task.name, value: `${token} is what ${task.name} says` });
  tell({ told: { key: task.name, version, token } });
}

async function work(): Promise<Report> {
  const writer = createWriter({ memory, name: task.name, seed: task.seed, mix: task.mix, note });
  const report: { errors: string[]; latencies: [Kind, number][]; seen: number } = { errors: [], latencies: [], seen: 0 };
  for (let n = 1; n <= task.calls; n += 1) {
    const before = runtime.ticks();
    try {
      const kind = await writer.step();
      report.latencies.push([kind, runtime.ticks() - before]);
      if (task.tellEvery > 0 && n % task.tellEvery === 0) await announce(n);
      report.seen += await look(report);
      if (task.reopenEvery > 0 && n % task.reopenEvery === 0) {
        await opened.db.close();
        opened = await openMemory(task.path, runtime);
      }
    } catch (error) {
      report.errors.push(`call ${n}: ${JSON.stringify(errorBody(toSkillflowError(error)))}`);
      if (report.errors.length > 20) break;
    }
    await new Promise((resolve) => void setImmediate(resolve)); // lets messages in
  }
  return report;
}

tell({ ready: true });
if (task.waits) await begun;
const report = await work();
await opened.db.close();
tell({ report });
process.disconnect?.();
