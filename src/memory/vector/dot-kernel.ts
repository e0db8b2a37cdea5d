import { DOT_KERNEL } from './dot-kernel-code.ts';

/** Memory of WebAssembly that threads share. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

interface Instance {
  readonly exports: {
    readonly dot: (codes: number, count: number, stride: number, query: number, products: number) => void;
    readonly dotRows: (rows: number, count: number, codes: number, stride: number, query: number, products: number) => void;
    readonly dotFloats: (vectors: number, count: number, stride: number, query: number, products: number) => void;
  };
}

/** What is used of this global, which TypeScript only knows in browsers. */
declare const WebAssembly: {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number; readonly shared: true }) => SharedMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: { readonly host: { readonly memory: SharedMemory } }) => Instance;
};

const PAGE_BYTES = 65_536;
const MOST_PAGES = 65_536;

/** The loops over shared memory that are too slow in JavaScript. */
export interface DotKernel {
  /**
   * Dot products of the 16-bit vector at `query` with `count` 8-bit ones from `codes` on, as 32-bit numbers at `products`.
   * All are byte offsets; a vector has `stride` numbers, a positive multiple of 16, the last of them zeros.
   */
  dot(codes: number, count: number, stride: number, query: number, products: number): void;
  /** The same of chosen vectors: `count`, a multiple of 4, of 32-bit numbers at `rows`, from 0 for the one at `codes`. */
  dotRows(rows: number, count: number, codes: number, stride: number, query: number, products: number): void;
  /**
   * As `dot`, of a query, vectors and products of 32-bit floating-point numbers: `stride` bytes each, a multiple of 64, the
   * last numbers zeros.
   */
  dotFloats(vectors: number, count: number, stride: number, query: number, products: number): void;
}

export function createSharedMemory(): {
  readonly memory: SharedMemory;
  /** Makes it at least so large. Throws `RangeError` beyond 4 GiB, or when the machine has no more. */
  reserve(bytes: number): void;
} {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
  return {
    memory,
    reserve: (bytes) => {
      const missing = Math.ceil(bytes / PAGE_BYTES) - memory.buffer.byteLength / PAGE_BYTES;
      if (missing > 0) memory.grow(missing);
    },
  };
}

/** Throws where WebAssembly or its SIMD instructions are missing. */
export function createDotKernel(memory: SharedMemory): DotKernel {
  const code = new WebAssembly.Module(Buffer.from(DOT_KERNEL, 'base64'));
  return new WebAssembly.Instance(code, { host: { memory } }).exports;
}
