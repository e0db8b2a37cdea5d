// Size of the package with its production dependencies, installed without scripts from a packed file.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function npm(cwd: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`npm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const folder = mkdtempSync(join(tmpdir(), 'skillflow-size-'));
try {
  const packed: readonly { filename: string; size: number }[] = JSON.parse(
    npm(process.cwd(), 'pack', '--json', '--ignore-scripts', '--pack-destination', folder),
  );
  const file = packed[0]?.filename ?? '';
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  npm(folder, 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', join(folder, file));
  const modules = join(folder, 'node_modules');
  const files = readdirSync(modules, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  const bytes = files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  console.log(
    `installed: ${(bytes / 1024 ** 2).toFixed(1)} MB in ${files.length} files (at most 120 MB); packed: ${((packed[0]?.size ?? 0) / 1024).toFixed(0)} KB`,
  );
  const health = spawnSync(process.execPath, [join(modules, 'skillflow', 'dist', 'bin.cjs'), 'health'], {
    cwd: folder,
    encoding: 'utf8',
  });
  console.log(health.stdout);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
