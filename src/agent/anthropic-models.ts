import type { ModelClass } from './role.ts';

/** How hard a model works on an answer; see `output_config.effort` of the Messages API. */
export type Effort = 'low' | 'medium' | 'high' | 'xhigh' | 'max';
/** Models by class, as of 2026-11-21; flags, environment and skills name others. */
export const DEFAULT_MODELS: Readonly<Record<ModelClass, string>> = {
  small: 'claude-haiku-5-5',
  standard: 'claude-sonnet-5-5',
  large: 'claude-opus-5-5',
};

const DEFAULT_EFFORT: Readonly<Record<ModelClass, Effort>> = { small: 'low', standard: 'medium', large: 'high' };

/** Models that refuse the parameter are older than these families. */
const KNOWS_EFFORT = /^claude-(?:haiku-5|sonnet-(?:4-6|5)|opus-(?:4-[5-8]|5)|fable-|mythos-)/u;

/** The effort to ask a model for, `undefined` for a model that is not known to take it. */
export function effortFor(model: string, modelClass: ModelClass, asked: Effort | undefined): Effort | undefined {
  if (!KNOWS_EFFORT.test(model)) return undefined;
  return asked ?? DEFAULT_EFFORT[modelClass];
}
