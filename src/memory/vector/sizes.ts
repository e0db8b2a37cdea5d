/** Numbers of vectors at which things happen. */
export interface VectorSizes {
  /** Up to here all vectors are kept in this process and compared one by one. */
  readonly exact: number;
  /** Rows read from the database at once. */
  readonly page: number;
  /** Rows after the index that are compared one by one before they are added to it. */
  readonly tail: number;
  /** Rows that the graph may lack: they are scanned quantized. */
  readonly lag: number;
  /** Rows added to the graph at once. */
  readonly grown: number;
  /** Rows that the snapshot on the disk may lack, besides a twentieth of all. */
  readonly unsaved: number;
  /** Entries in a scope up to which their vectors are compared one by one rather than looking further in the index. */
  readonly selective: number;
  /** Candidates asked of the index before all vectors of the scope are compared. */
  readonly widest: number;
}

/** Chosen so that a search with a full tail and a full lag costs about 1 ms more than one without, at 384 dimensions. */
export const VECTOR_SIZES: VectorSizes = {
  exact: 5_000,
  page: 2_000,
  tail: 256,
  lag: 2_000,
  grown: 100,
  unsaved: 2_000,
  selective: 5_000,
  widest: 4_096,
};
