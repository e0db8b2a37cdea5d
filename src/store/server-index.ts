import { givenUp, type Fetch } from './server-request.ts';

/** Asks for nothing: each result carries the index of the last change that the server has made. */
const BODY = JSON.stringify({
  requests: [{ type: 'execute', stmt: { sql: 'SELECT 1', want_rows: false } }, { type: 'close' }],
});
/** In a result of the protocol (source: libsql-server's `StmtResult`); the number may pass 2^53. */
const INDEX = /"replication_index":\s*"?(\d{1,20})\b/;

/** Which change of a server's database is its last: one round trip; `null` when the server does not say. */
export type ServerIndex = (signal: AbortSignal) => Promise<string | null>;

/** @param href the server's URL, without a slash at its end */
export function createServerIndex(href: string, authToken: string | undefined, fetch: Fetch): ServerIndex {
  return async (signal) => {
    if (signal.aborted) throw givenUp(href);
    const response = await fetch(
      new Request(`${href}/v2/pipeline`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(authToken === undefined ? {} : { authorization: `Bearer ${authToken}` }),
        },
        body: BODY,
        redirect: 'manual', // it would carry the token away
        signal,
      }),
    );
    const text = await response.text();
    return INDEX.exec(text)?.[1] ?? null;
  };
}
