import { Worker, type TransferListItem } from 'node:worker_threads';
import { IndexError } from './index-error.ts';
import type { IndexHost } from './index-host.ts';
import type { IndexCall, IndexReply } from './index-message.ts';
import type { KeepAlive } from './keep-alive.ts';
import { createGateState, shutGate } from './native-gate.ts';
import { createSharedSearch, type SharedIndex, type SharedSearch } from './shared-links.ts';

interface Waiting {
  resolve(value: never): void;
  reject(error: Error): void;
}

type WithoutSeq<T> = T extends unknown ? Omit<T, 'seq'> : never;

/**
 * An index host in a worker thread of its own. When the thread ends, whatever it was asked and is asked rejects with
 * `IndexError`.
 * @param url of the built `worker.ts`
 */
export function createThreadHost(url: URL, keepAlive: KeepAlive): IndexHost {
  const waiting = new Map<number, Waiting>();
  const gate = createGateState();
  const worker = new Worker(url, { name: 'skillflow-vectors', workerData: { gate } });
  const shut = (): void => shutGate(gate);
  process.on('exit', shut);
  const letGo = keepAlive.hold(worker);
  let ended: IndexError | undefined;
  let terminated: Promise<number> | undefined;
  let seq = 0;
  /** Of what the thread shares. */
  let here: SharedSearch | undefined;

  const end = (reason: string, cause?: unknown): void => {
    ended ??= new IndexError(`its worker ${reason}`, false, { cause });
    letGo();
    here = undefined;
    for (const call of waiting.values()) call.reject(ended);
    waiting.clear();
  };
  const share = (shared: SharedIndex | null): void => {
    if (shared === null) here = undefined;
    else if (here?.links.number === shared.links.number) here.update(shared.rows);
    else here = createSharedSearch(shared);
  };
  worker.on('message', (reply: IndexReply) => {
    const call = waiting.get(reply.seq);
    waiting.delete(reply.seq);
    if (!reply.ok) {
      call?.reject(new IndexError(reply.reason));
      return;
    }
    try {
      if (reply.shared !== undefined && ended === undefined) share(reply.shared);
      call?.resolve(reply.value);
    } catch (error) {
      call?.reject(new IndexError('what its worker shares cannot be read', false, { cause: error }));
    }
  });
  worker.on('error', (error) => end(`failed: ${error instanceof Error ? error.message : String(error)}`, error));
  worker.on('exit', (code) => {
    process.off('exit', shut);
    end(`ended with code ${code}`);
  });

  const ask = <T>(call: WithoutSeq<IndexCall>, transfer: readonly TransferListItem[] = []): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (ended !== undefined) {
        reject(ended);
        return;
      }
      seq += 1;
      waiting.set(seq, { resolve, reject });
      worker.postMessage({ ...call, seq }, transfer);
    });
  return {
    start: (dimensions) => ask({ op: 'start', dimensions }),
    load: (input) => ask({ op: 'load', input }, [input.ids.buffer]),
    add: (rows) => ask({ op: 'add', rows }, [rows.ids.buffer, rows.vectors.buffer]),
    grow: (rows, throughId) => ask({ op: 'grow', rows, throughId }, [rows.ids.buffer, rows.vectors.buffer]),
    search: async (vector, count) => here?.search(vector, count) ?? ask({ op: 'search', vector, count }),
    save: (tier, path) => ask({ op: 'save', tier, path }),
    [Symbol.asyncDispose]: async () => {
      end('was closed');
      shut();
      terminated ??= worker.terminate();
      await terminated;
    },
  };
}
