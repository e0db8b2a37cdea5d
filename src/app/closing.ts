/** Things that were opened, to be closed in the reverse order. */
export interface Closing {
  /** Returns what it was given. */
  add<T extends AsyncDisposable>(resource: T): T;
  all(): Promise<void>;
}

export function createClosing(): Closing {
  const resources: AsyncDisposable[] = [];
  return {
    add: (resource) => {
      resources.push(resource);
      return resource;
    },
    all: async () => {
      for (const resource of resources.splice(0).reverse()) await resource[Symbol.asyncDispose]();
    },
  };
}

/** Remembers the first promise that did not reject. */
export function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
