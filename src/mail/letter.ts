import { InvalidInputError, NotFoundError } from '../errors.ts';
import { nearest } from '../nearest.ts';

/** Whom a message is for: one agent, all of a role, or everybody. */
export type Address = { readonly agent: string } | { readonly role: string } | 'all';

/** Who can get mail in a place. */
export interface Member {
  readonly id: string;
  readonly role: string;
}

/** What is sent. */
export interface Letter {
  /** A run's id or a swarm's; ids of agents mean something within it. */
  readonly place: string;
  /** A member's id, or the name of somebody outside, as the person who started the run. */
  readonly from: string;
  readonly to: Address;
  /** 1 to 65,536 bytes of UTF-8. */
  readonly body: string;
  readonly members: readonly Member[];
  /** Whether a broadcast of this sender reaches an agent: the topology's edges. Absent: it reaches all. */
  readonly allowed?: (agentId: string) => boolean;
}

/** A letter found valid. */
export interface Addressed {
  readonly place: string;
  readonly from: string;
  /** As it is stored: `agent:<id>`, `role:<role>` or `all`. */
  readonly address: string;
  readonly body: string;
  /** Ids, each once, at least one. */
  readonly recipients: readonly string[];
}

/** UTF-8 bytes. */
const MAX_BODY_BYTES = 64 * 1024;
/** UTF-8 bytes of a place's name or an agent's. */
const MAX_NAME_BYTES = 512;
const UNSTORABLE = /\0|\p{Surrogate}/u;
/** What may be unstorable; quick, since it does not put pairs together. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** @throws InvalidInputError text that is empty, of more than `maxBytes` bytes, or cannot be stored */
function checkText(parameter: string, text: string, maxBytes: number): void {
  const fail = (problem: string, hint: string): never => {
    throw new InvalidInputError(`${parameter} ${problem}`, { hint, details: { parameter } });
  };
  if (text === '') fail('is empty', `Give ${parameter} at least one character.`);
  const bytes = text.length > maxBytes ? text.length : Buffer.byteLength(text);
  if (bytes > maxBytes) {
    fail(
      `has ${text.length > maxBytes ? `more than ${maxBytes}` : bytes} bytes; at most ${maxBytes} are allowed`,
      `Shorten ${parameter}, or store it in the memory and send the key.`,
    );
  }
  if (SUSPECT.test(text) && UNSTORABLE.test(text)) fail('has a NUL or a lone surrogate', `Remove it from ${parameter}.`);
}

/** A place's name or an agent's. Throws `InvalidInputError`. */
export function checkName(parameter: string, name: string): void {
  checkText(parameter, name, MAX_NAME_BYTES);
}

function nobody(what: string, place: string, wanted: string, known: readonly string[]): NotFoundError {
  const near = nearest(wanted, known);
  const names = near.length > 0 ? near : known.slice(0, 10);
  return new NotFoundError(`there is no ${what} ${JSON.stringify(wanted)} in ${place}`, {
    hint: names.length > 0 ? `Did you mean ${names.join(', ')}?` : `Nobody gets mail in ${place}.`,
    details: { place, wanted },
  });
}

/** Ids in the order of members; a sender gets no copy of what goes to several. */
function recipientsOf({ place, from, to, members, allowed }: Letter): readonly string[] {
  if (to === 'all') {
    const reached = members.filter(({ id }) => id !== from && (allowed === undefined || allowed(id))).map(({ id }) => id);
    if (reached.length > 0) return reached;
    throw new NotFoundError(`a broadcast of ${from} reaches nobody in ${place}`, {
      hint: 'Send to an agent or a role: a broadcast goes along the edges of the topology.',
      details: { place, from },
    });
  }
  if ('agent' in to) {
    if (members.some(({ id }) => id === to.agent)) return [to.agent];
    throw nobody(
      'agent',
      place,
      to.agent,
      members.map(({ id }) => id),
    );
  }
  const reached = members.filter(({ id, role }) => role === to.role && id !== from).map(({ id }) => id);
  if (reached.length > 0) return reached;
  const others = new Set(members.filter(({ id }) => id !== from).map(({ role }) => role));
  throw nobody('other agent of the role', place, to.role, [...others]);
}

/**
 * Finds out whom a letter is for.
 * @throws InvalidInputError a body or a name that is empty, too long or not storable
 * @throws NotFoundError no such agent, no other agent of the role, or a broadcast that reaches nobody
 */
export function addressed(letter: Letter): Addressed {
  const { place, from, to, body } = letter;
  checkName('place', place);
  checkName('from', from);
  checkText('body', body, MAX_BODY_BYTES);
  const recipients = [...new Set(recipientsOf(letter))];
  for (const id of recipients) checkName('agent', id);
  const address = to === 'all' ? 'all' : 'agent' in to ? `agent:${to.agent}` : `role:${to.role}`;
  return { place, from, address, body, recipients };
}
