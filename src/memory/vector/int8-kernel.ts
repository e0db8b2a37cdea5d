import { INT8_KERNEL } from './int8-kernel-code.ts';

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface Instance {
  readonly exports: {
    readonly dot: (codes: number, count: number, stride: number, query: number, products: number) => void;
  };
}

/** What is used of this global, which TypeScript only knows in browsers. */
declare const WebAssembly: {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => Memory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: { readonly host: { readonly memory: Memory } }) => Instance;
};

const PAGE_BYTES = 65_536;
const MOST_PAGES = 65_536;

/** Memory and the loop over it that is too slow in JavaScript. */
export interface Int8Kernel {
  /** Of the present memory: a view is only good until the next {@link reserve}. */
  readonly buffer: ArrayBuffer;
  /** Makes the memory at least so large. Throws `RangeError` beyond 4 GiB, or when the machine has no more. */
  reserve(bytes: number): void;
  /**
   * Dot products of the 16-bit vector at `query` with `count` 8-bit ones from `codes` on, as 32-bit numbers at `products`.
   * All are byte offsets; a vector has `stride` numbers, a positive multiple of 16, the last of them zeros.
   */
  dot(codes: number, count: number, stride: number, query: number, products: number): void;
}

/** Throws where WebAssembly or its SIMD instructions are missing. */
export function createInt8Kernel(): Int8Kernel {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES });
  const code = new WebAssembly.Module(Buffer.from(INT8_KERNEL, 'base64'));
  const { dot } = new WebAssembly.Instance(code, { host: { memory } }).exports;
  return {
    get buffer() {
      return memory.buffer;
    },
    reserve: (bytes) => {
      const missing = Math.ceil(bytes / PAGE_BYTES) - memory.buffer.byteLength / PAGE_BYTES;
      if (missing > 0) memory.grow(missing);
    },
    dot,
  };
}
