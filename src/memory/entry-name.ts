/** One text for a namespace and a key, neither of which has a NUL. */
export const nameOf = (namespace: string, key: string): string => `${namespace}\0${key}`;
