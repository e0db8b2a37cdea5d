import type { SgNode } from '@ast-grep/napi';
import type { Confidence, Severity } from '../../finding.ts';
import type { Origin } from './origin.ts';

/** A call or construction: `f(x)`, `new F(x)`, Python's `f(x, k=v)`. */
export interface Call {
  readonly node: SgNode;
  /** What is called, white space and `?.` removed, import aliases resolved: `child_process.exec`, `db.query`. */
  readonly callee: string;
  /** The last segment of the callee: `exec`. */
  readonly name: string;
  readonly isNew: boolean;
  /** Positional arguments. */
  readonly args: readonly SgNode[];
  /** The object before the last segment, or `null` for a plain function. */
  readonly receiver: SgNode | null;
  /** The value of a keyword argument (Python), or of a key of an object literal among the arguments (JavaScript). */
  option(name: string): SgNode | null;
}

/** An assignment with a value: declarators, assignments, augmented assignments, class fields. */
export interface Assignment {
  readonly node: SgNode;
  /** Left side as written, white space removed: `el.innerHTML`. */
  readonly target: string;
  /** Its last segment without quotes or brackets: `innerHTML`. */
  readonly name: string;
  readonly value: SgNode;
}

/** A key with a value: a pair of an object or dict literal, a keyword argument. */
export interface Entry {
  readonly node: SgNode;
  readonly key: string;
  readonly value: SgNode;
}

/** What a rule may ask about the file that it looks at. */
export interface Scene {
  readonly text: string;
  readonly path: string;
  /** Where the value of an expression comes from; see {@link Origin}. */
  origin(node: SgNode): Origin;
  /** A dotted name with its first segment replaced by what it was imported from. */
  readonly canonical: (name: string) => string;
  /** The expression that a name stands for where it has exactly one known value, else the node itself. */
  definition(node: SgNode): SgNode;
  /** The view of a call node, or `null` where the node is no call. */
  call(node: SgNode): Call | null;
}

/** What a check found: the confidence it deserves, and details. */
export interface Hit {
  readonly confidence: Confidence;
  /** The node to flag where it is not the one that was checked. */
  readonly node?: SgNode;
  /** Where the value comes from, where the rule is about a value. */
  readonly origin?: Origin;
  /** Added to the message in parentheses. */
  readonly detail?: string;
  readonly severity?: Severity;
  /** A literal whose text must not be printed. */
  readonly secret?: string;
}

export type Check<T> = (subject: T, scene: Scene) => Hit | null;

/** One rule: data, examples and a small matcher. */
export interface SecurityRule {
  /** `security/<js|py>-<name>`. */
  readonly id: string;
  readonly severity: Severity;
  readonly cwe: readonly string[];
  readonly message: string;
  readonly advice: string;
  /** The rule is tried only on texts that contain one of these. */
  readonly keywords: readonly string[];
  /** And only on texts that this matches, where it is given. */
  readonly shape?: RegExp;
  /** Whether it matters only where the code runs in production; tests and examples may do this. */
  readonly productionOnly?: boolean;
  /** Rules that say the same with more precision: where one of them hits an overlapping place, this one is silent. */
  readonly yieldsTo?: readonly string[];
  /** Calls whose canonical callee matches `callee`. */
  readonly calls?: { readonly callee: RegExp; readonly check: Check<Call> };
  /** Assignments whose last segment matches `name`. */
  readonly assigns?: { readonly name: RegExp; readonly check: Check<Assignment> };
  /** Entries whose key matches `key`. */
  readonly entries?: { readonly key: RegExp; readonly check: Check<Entry> };
  /** Any other kind of node. */
  readonly nodes?: { readonly kinds: readonly string[]; readonly check: Check<SgNode> };
  /** Code that the rule must flag; each is a whole file. */
  readonly bad: readonly string[];
  /** Code that it must not flag. */
  readonly good: readonly string[];
}
