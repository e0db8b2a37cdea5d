import { InvalidInputError } from '../errors.ts';
import { LOOPBACK } from './loopback.ts';

/** What each scheme is over HTTP. libSQL servers answer both protocols at one address, so web sockets are not needed. */
const SCHEMES: Readonly<Record<string, 'https:' | 'http:'>> = {
  'libsql:': 'https:',
  'https:': 'https:',
  'wss:': 'https:',
  'http:': 'http:',
  'ws:': 'http:',
};

/** The address of a libSQL server. */
export interface DatabaseUrl {
  /** `https://host[:port][/path]`, or `http://…` without TLS; never with a token, a user or a query. */
  readonly href: string;
}

function refuse(where: string, what: string, hint: string): InvalidInputError {
  return new InvalidInputError(`${where} ${what}`, { hint });
}

function parse(text: string, where: string): URL {
  if (text.startsWith('file:') || !text.includes('://')) {
    throw refuse(
      where,
      'is no URL of a database server',
      'Give libsql://host, https://host or http://localhost:8080. The local file needs no setting.',
    );
  }
  try {
    // The parser treats unknown schemes as opaque: it would keep the case of the host.
    return new URL(text.replace(/^libsql:/i, 'https:'));
  } catch (error) {
    throw new InvalidInputError(`${where} is not a valid URL`, {
      hint: 'Give libsql://host, https://host or http://localhost:8080.',
      cause: error,
    });
  }
}

/**
 * Reads the address of a libSQL server: `libsql://`, `https://` or `wss://`, and without TLS `http://` or `ws://` on
 * this machine. Elsewhere, no TLS has to be meant: `libsql://host:8080?tls=0`.
 * @param where what to call the setting in errors, such as `the environment variable SKILLFLOW_DB_URL`
 * Errors: `InvalidInputError`, which never repeats the URL: it may hold a secret.
 */
export function parseDatabaseUrl(text: string, where: string): DatabaseUrl {
  const url = parse(text.trim(), where);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw refuse(where, `has the scheme ${url.protocol}//, which is not known`, 'Use libsql://, https:// or http://.');
  }
  if (url.username !== '' || url.password !== '' || url.searchParams.has('authToken')) {
    throw refuse(
      where,
      'holds a secret',
      'Put the token in the environment variable SKILLFLOW_DB_TOKEN, and only the address here.',
    );
  }
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'tls');
  if (unknown !== undefined || url.hash !== '') {
    throw refuse(where, `has ${unknown === undefined ? 'a #' : `the parameter ${unknown}`}, which is not known`, 'Remove it.');
  }
  const tls = url.searchParams.get('tls');
  const without = tls === '0' || (tls === null && scheme === 'http:');
  if (without && tls !== '0' && !LOOPBACK.test(url.hostname)) {
    throw refuse(
      where,
      'would send everything to another machine without encryption',
      'Use https:// or libsql://; in a network that you trust, say so with libsql://host:port?tls=0.',
    );
  }
  if (url.hostname === '') throw refuse(where, 'has no host', 'Give libsql://host.');
  const port = url.port === '' ? '' : `:${url.port}`;
  return { href: `${without ? 'http:' : 'https:'}//${url.hostname}${port}${url.pathname.replace(/\/+$/, '')}` };
}
