/** A value that must not be shown: it is no text by itself, so printing or serializing it gives nothing away. */
export interface Secret {
  reveal(): string;
  toJSON(): string;
}

export function createSecret(value: string): Secret {
  return Object.freeze({ reveal: () => value, toJSON: () => '(set)' });
}
