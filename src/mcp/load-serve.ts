import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import type * as serveModule from './serve.ts';

export interface LoadOptions {
  /** Absolute path of the bundle of `serve.ts`, in CommonJS. */
  readonly bundle: string;
  /** Folder for compiled code, the user's own; made where it is absent. */
  readonly cacheDir: string;
  readonly uid: number | undefined;
  /** Hash of the bundle, made at build time. */
  readonly hash: string;
}

/** Compiled code runs, so it is only taken from a folder and a file that nobody else can write. */
function readCache(path: string, uid: number | undefined): Buffer | undefined {
  try {
    for (const place of [dirname(path), path]) {
      const { uid: owner, mode } = statSync(place);
      if (uid !== undefined && (owner !== uid || (mode & 0o022) !== 0)) return undefined;
    }
    return readFileSync(path);
  } catch {
    return undefined; // a cache: without it the code is compiled as ever
  }
}

function writeCache(path: string, script: Script, pid: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${pid}`;
    writeFileSync(temporary, script.createCachedData(), { mode: 0o600 });
    renameSync(temporary, path);
    const [, runtime = ''] = /(-[^-]+-[^-]+\.v8)$/.exec(path) ?? [];
    for (const other of readdirSync(dirname(path))) {
      if (other.endsWith(runtime) && other !== basename(path)) rmSync(join(dirname(path), other), { force: true }); // an older build's
    }
  } catch {
    // A cache that cannot be written costs some milliseconds at the next start, nothing else.
  }
}

/**
 * Loads the MCP server's code through V8's code cache, which saves a third of its start. The cache is keyed by the
 * code itself and by V8's version; V8 rejects one that does not fit.
 */
export function loadServe({ bundle, cacheDir, uid, hash }: LoadOptions): {
  readonly serve: typeof serveModule.serve;
  readonly keepCache: () => void;
} {
  const code = readFileSync(bundle, 'utf8');
  const key = `${hash.slice(0, 32)}-${process.versions.v8}-${process.arch}`;
  const path = join(cacheDir, `${key}.v8`);
  const cachedData = readCache(path, uid);
  const script = new Script(`(function (exports, require, module) {${code}\n})`, {
    filename: bundle,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module: { exports: typeof serveModule } = { exports: Object.create(null) };
  const wrapper: (exports: unknown, require: NodeJS.Require, module: unknown) => void = script.runInThisContext();
  wrapper(module.exports, createRequire(bundle), module);
  return {
    serve: module.exports.serve,
    // After the work, so that the functions it used are in it.
    keepCache: () => {
      if (cachedData === undefined || script.cachedDataRejected === true) writeCache(path, script, process.pid);
    },
  };
}
