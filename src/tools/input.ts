import * as z from 'zod';

// Lengths are checked here and said in the error; in every listing of tools they would only cost bytes.

/** 1 to `most` UTF-16 units without NUL, at which readers of C strings would stop. */
export const words = (most: number): z.ZodString =>
  z
    .string()
    .refine(
      (text) => text !== '' && text.length <= most && !text.includes('\0'),
      `expected 1 to ${most} characters, none of them NUL`,
    );

/** A parameter that the default listing leaves out: accepted always, told where every byte is not counted. */
export const rare = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description, rare: true });

/** Things on a page; `fallback` when not said. */
export const limit = (fallback: number, most: number): z.ZodDefault<z.ZodInt> => z.int().min(1).max(most).default(fallback);

/** Things passed over before the page. */
export const offset = z.int().min(0).default(0).describe('how many to skip');
