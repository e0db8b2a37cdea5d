/** Names of this machine, as a URL has them. */
export const LOOPBACK = /^(?:localhost|(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether an address leads to another machine; a path does not. */
export function isElsewhere(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { host, hostname } = new URL(address);
  return host !== '' && !LOOPBACK.test(hostname);
}
