import type { LegacyBody, LegacyCall } from '../src/legacy/row.ts';

/** What was really done, for people and for programs. */
export type Answer = (output: unknown) => { readonly message: string; readonly result: LegacyBody };

/** The keys that 2.7 answers with for names without any code, and after them what was really done. */
export const answered =
  (tool: string, args: LegacyBody, answer: Answer): LegacyCall['body'] =>
  (output, timestamp) => {
    const { message, result } = answer(output);
    return { success: true, tool, message, args, timestamp, ...result };
  };
