import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The project's folder, also where this file was bundled into another one, as benches are. */
export const PROJECT = projectAbove(dirname(fileURLToPath(import.meta.url)));
const CACHE = join(PROJECT, 'node_modules', '.cache', 'skillflow-test');

function projectAbove(folder: string): string {
  if (existsSync(join(folder, 'vitest.config.ts'))) return folder;
  if (dirname(folder) === folder) throw new Error('there is no project above');
  return projectAbove(dirname(folder));
}

export interface BundledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Bundles a program for plain Node, inside the project so that its packages resolve.
 * @param source a file's path, or JavaScript and the folder from which it imports
 */
export async function bundleProgram(
  source: string | { readonly code: string; readonly folder: string },
): Promise<BundledProgram> {
  mkdirSync(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'program-'));
  const path = join(folder, 'program.mjs');
  await build({
    ...(typeof source === 'string'
      ? { entryPoints: [source] }
      : { stdin: { contents: source.code, resolveDir: source.folder, loader: 'js' as const } }),
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
  });
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}
