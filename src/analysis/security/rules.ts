import type { Language } from '../../changes.ts';
import { jsBrowserRules } from './js-browser.ts';
import { jsConfigRules } from './js-config.ts';
import { jsCredentialRules } from './js-credentials.ts';
import { jsCryptoRules } from './js-crypto.ts';
import { jsExecutionRules } from './js-execution.ts';
import { jsFilesNetworkRules } from './js-files-network.ts';
import { jsInjectionRules } from './js-injection.ts';
import { jsMoreRules } from './js-more.ts';
import { jsObjectRules } from './js-objects.ts';
import { pyCryptoRules } from './py-crypto.ts';
import { pyExecutionRules } from './py-execution.ts';
import { pyFilesNetworkRules } from './py-files-network.ts';
import { pyInjectionRules } from './py-injection.ts';
import { pyMarkupRules } from './py-markup.ts';
import { pyWebRules } from './py-web.ts';
import type { SecurityRule } from './rule.ts';

/** Every rule for JavaScript and TypeScript. */
export const JAVASCRIPT_RULES: readonly SecurityRule[] = [
  ...jsExecutionRules,
  ...jsInjectionRules,
  ...jsBrowserRules,
  ...jsFilesNetworkRules,
  ...jsCryptoRules,
  ...jsConfigRules,
  ...jsCredentialRules,
  ...jsObjectRules,
  ...jsMoreRules,
];

/** Every rule for Python. */
export const PYTHON_RULES: readonly SecurityRule[] = [
  ...pyExecutionRules,
  ...pyInjectionRules,
  ...pyMarkupRules,
  ...pyFilesNetworkRules,
  ...pyCryptoRules,
  ...pyWebRules,
];

/** The rules for a language; none for plain text. */
export function rulesOf(language: Language): readonly SecurityRule[] {
  if (language === 'text') return [];
  return language === 'python' ? PYTHON_RULES : JAVASCRIPT_RULES;
}
