import { printable } from '../printable.ts';
import { showData, withApp } from './session.ts';
import type { Session } from './session.ts';

/** A setting for people; of a secret only that it is set. */
function setting(value: unknown): string {
  const plain: unknown = JSON.parse(JSON.stringify(value));
  if (plain === null) return 'none';
  if (Array.isArray(plain)) return plain.join(',');
  if (typeof plain !== 'object') return typeof plain === 'string' ? plain : JSON.stringify(plain);
  const members = Object.entries(plain).map(([name, one]) => `${name} ${setting(one)}`);
  return members.length === 0 ? 'none' : members.join(', ');
}

/** Prints the settings and where each comes from. */
export async function showConfig(session: Session): Promise<number> {
  return withApp(session, async (app) => {
    const { sources, ...values } = app.app.config;
    if (session.format !== 'text') {
      await showData(session, { ...values, sources });
      return 0;
    }
    const of = new Map<string, string>(Object.entries(sources));
    const shown = Object.entries(values).map(([name, value]): [string, string] => [name, setting(value)]);
    const width = Math.max(...shown.map(([name]) => name.length));
    for (const [name, value] of shown)
      session.print(`${name.padEnd(width)}  ${printable(value)}${of.has(name) ? `  (${of.get(name)})` : ''}\n`);
    return 0;
  });
}
