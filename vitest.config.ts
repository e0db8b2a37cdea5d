import { defineConfig, type TestProjectInlineConfiguration as Project } from 'vitest/config';
import { hasSqld } from './test/helpers/sqld.ts';

/** What is run on a file in the project `file`, and once more on a libSQL server; see test/helpers/databases.ts. */
const ON_SERVER = [
  'test/store/database.test.ts',
  'test/memory/*.test.ts',
  'test/memory/search/*.test.ts',
  'test/memory/embed/{backlog,create-embeddings,killed}.test.ts',
  'test/memory/vector/vector-search.test.ts',
  'test/memory/care/{cached,export,merge,remote,upkeep}.test.ts',
  'test/reliability/memory-hostile.test.ts',
  'test/mail/mailbox.test.ts',
  'test/run/{polls,runner,swarms}.test.ts',
  'test/tools/{cache,hostile,memory,memory-embed,memory-files,memory-history,swarm,vote}.test.ts',
];

const file: Project = { extends: true, test: { name: 'file', include: ['test/**/*.test.ts'] } };
const server: Project = {
  extends: true,
  test: { name: 'server', include: ON_SERVER, globalSetup: ['test/helpers/server-template.ts'] },
};

if (!hasSqld) process.stderr.write('There is no libSQL server here: the tests are run on files alone.\n');

export default defineConfig({
  test: {
    projects: hasSqld ? [file, server] : [file],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 5_000,
    reporters: ['default'],
  },
});
