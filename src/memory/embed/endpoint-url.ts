import { InvalidInputError } from '../../errors.ts';

export interface EndpointUrl {
  /** Where requests go: the base with `/embeddings` added unless it ends so, its query kept. */
  readonly href: string;
  /** For people: without query, which may hold a secret. */
  readonly shown: string;
}

function invalid(problem: string, hint: string): InvalidInputError {
  return new InvalidInputError(`the embedding URL ${problem}`, { hint, details: { parameter: 'embeddingUrl' } });
}

/** Reads a base such as `http://localhost:11434/v1`. Throws `InvalidInputError`, which never shows credentials. */
export function endpointUrl(base: string): EndpointUrl {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined) throw invalid('is not a URL', 'Give one such as http://localhost:11434/v1.');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`has the protocol ${url.protocol}`, 'Use http: or https:.');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(`${url.origin} has a user name or password in it`, 'Take it out; pass the key by the environment instead.');
  }
  url.hash = '';
  url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/embeddings$/, '')}/embeddings`;
  return { href: url.href, shown: `${url.origin}${url.pathname}` };
}
