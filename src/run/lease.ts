/** Milliseconds for which a claim of a process holds unless it is renewed. */
export const LEASE_MS = 15_000;
