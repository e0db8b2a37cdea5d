/** Whole numbers and texts as bytes: 7 bits a byte, the least significant first, the last byte without its top bit (LEB128). */
export interface ByteWriter {
  number(value: number): void;
  /** Ids in no order, as the differences between them. */
  ids(all: readonly number[]): void;
  text(value: string): void;
  bytes(): Buffer;
}

export function createByteWriter(): ByteWriter {
  const written: number[] = [];
  const number = (value: number): void => {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) written.push((rest % 128) + 128);
    written.push(rest);
  };
  return {
    number,
    ids: (all) => {
      const sorted = [...new Set(all)].sort((a, b) => a - b);
      number(sorted.length);
      for (const [index, id] of sorted.entries()) number(id - (sorted[index - 1] ?? 0));
    },
    text: (value) => {
      const encoded = Buffer.from(value);
      number(encoded.length);
      written.push(...encoded);
    },
    bytes: () => Buffer.from(written),
  };
}

/** Reads what a {@link ByteWriter} wrote. Beyond the end there are only zeros. */
export interface ByteReader {
  number(): number;
  /** Ascending. */
  ids(): readonly number[];
  text(): string;
}

export function createByteReader(bytes: Buffer): ByteReader {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at] ?? 0;
      at += 1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  return {
    number,
    ids: () => {
      const found: number[] = [];
      let last = 0;
      for (let count = Math.min(number(), bytes.length); count > 0; count -= 1) found.push((last += number()));
      return found;
    },
    text: () => {
      const size = number();
      const value = bytes.toString('utf8', at, at + size);
      at += size;
      return value;
    },
  };
}
