/** The index cannot be used. It never reaches a caller: the database holds everything that an index does. */
export class IndexError extends Error {
  override readonly name = 'IndexError';
  /** Whether it is wrong, and so is the snapshot that it may have come from. */
  readonly isWrong: boolean;

  constructor(message: string, isWrong = false, options?: ErrorOptions) {
    super(message, options);
    this.isWrong = isWrong;
  }
}

/** For similarities that are not those of the vectors in the database. */
export function contradiction(): IndexError {
  return new IndexError('it contradicts the database', true);
}
