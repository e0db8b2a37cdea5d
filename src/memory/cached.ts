/** Where cached values lie in the memory: what expires and may be lost, apart from what is remembered. */
export const CACHE = { namespace: 'cache', kind: 'cache' } as const;

/** Whether an entry is cached; see {@link isRemembered}. */
export function isCached(namespace: string, kind: string): boolean {
  return namespace === CACHE.namespace && kind === CACHE.kind;
}

/**
 * SQL: a row of `memory_entry` is remembered, not cached. Both marks count: an entry that somebody gave one of them is
 * theirs to keep. @param of what stands before the columns: `e.`
 */
export function isRemembered(of = ''): string {
  return `NOT (${of}namespace = '${CACHE.namespace}' AND ${of}kind = '${CACHE.kind}')`;
}
