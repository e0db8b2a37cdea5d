import type { LoadInput, IndexTier } from './index-host.ts';
import type { VectorRows } from './rows.ts';
import type { SharedIndex } from './shared-links.ts';

/** A call of the index host in the worker thread, numbered. */
export type IndexCall = { readonly seq: number } & (
  | { readonly op: 'start'; readonly dimensions: number }
  | { readonly op: 'load'; readonly input: LoadInput }
  | { readonly op: 'add'; readonly rows: VectorRows }
  | { readonly op: 'grow'; readonly rows: VectorRows; readonly throughId: number }
  | { readonly op: 'search'; readonly vector: Float32Array; readonly count: number }
  | { readonly op: 'save'; readonly tier: IndexTier; readonly path: string }
);

/**
 * What became of a call, and what the thread shares after it, if that changed. `never` stands for "whatever that call returns": it fits the receiver of every call, and both
 * ends are of the same build.
 */
export type IndexReply = { readonly seq: number } & (
  | { readonly ok: true; readonly value: never; readonly shared?: SharedIndex | null }
  | { readonly ok: false; readonly reason: string }
);
