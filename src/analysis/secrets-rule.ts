import type { Confidence, Severity } from '../finding.ts';

/** One type of credential: how it looks and how it is told from its look-alikes. */
export interface SecretRule {
  /** `secrets/<name>`. */
  readonly id: string;
  /** What it is, for the message: «GitHub token». */
  readonly label: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  /** The rule is tried only on texts that contain one of these; compared in lower case where `anyCase` is set. */
  readonly keywords: readonly string[];
  readonly anyCase?: boolean;
  /** Global and unicode; group 1 is the secret. */
  readonly pattern: RegExp;
  /** Least Shannon entropy of the secret in bits a character; 0 or none: not looked at. */
  readonly minimumEntropy?: number;
  /** A last look at the secret and at the match around it. */
  readonly accepts?: (secret: string, match: string, path: string) => boolean;
  /** Whether several lines belong to it. */
  readonly multiline?: boolean;
  /**
   * Texts that the rule must report (`bad`) or pass over (`good`). `{alnum:36}` stands for 36 random characters of an
   * alphabet, `{join}` for nothing: so no string here looks like a live credential. The tests fill them in.
   */
  readonly bad: readonly string[];
  readonly good: readonly string[];
}
