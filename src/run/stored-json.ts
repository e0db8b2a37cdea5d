import type { z } from 'zod';
import { DatabaseDamagedError } from '../errors.ts';

/** Reads JSON that a table holds. Throws `DatabaseDamagedError` when it is none, or not what `schema` says. */
export function storedJson<T>(schema: z.ZodType<T>, json: string, what: string): T {
  try {
    return schema.parse(JSON.parse(json));
  } catch (error) {
    throw unreadable(what, error);
  }
}

/** Reads what a table holds. Throws `DatabaseDamagedError` when it is not what `schema` says. */
export function storedValue<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw unreadable(what, error);
}

function unreadable(what: string, cause: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database is damaged: ${what} in it cannot be understood`, {
    cause,
    hint: 'Look at the damage with skillflow memory doctor, and restore a backup.',
  });
}
