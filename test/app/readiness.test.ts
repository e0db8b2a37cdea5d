import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { installFakeClaude } from '../helpers/fake-claude.ts';
import { createTestApp } from '../helpers/test-app.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';

const { folder } = useScratch();

test('a Claude Code that is too old is said to be that, and how to renew it', async () => {
  const fake = await installFakeClaude(await folder(), { mode: 'answer', version: '1.0.0' });
  await using app = await createTestApp({ runtime: testRuntime({ env: { PATH: fake.path } }) });
  const skill = join(app.dir, '.claude', 'skills', 'pair');
  await mkdir(skill, { recursive: true });
  await writeFile(join(skill, 'SKILL.md'), '---\nname: pair\ndescription: For a test, when it needs one.\n---\nDo it.\n');
  await writeFile(join(skill, 'swarm.yaml'), 'agents:\n  - { type: analyst }\n');
  await writeFile(join(app.dir, 'a.js'), 'eval(x);\n');
  for (const [tool, input] of [
    ['skill_run', { skill: 'pair', files: ['a.js'], provider: 'claude-cli' }],
    ['task_submit', { description: 'x', provider: 'claude-cli' }],
  ] as const) {
    const said = JSON.stringify(await app.call(tool, input));
    expect(said).toContain('claude-cli cannot be used here');
    expect(said).toMatch(/is version 1\.0\.0; 2\.1\.0 or newer is needed\. Run `claude update`/u);
    expect(said).not.toContain('Install Claude Code');
  }
  const health = JSON.stringify(await app.call('health', {}));
  expect(health).toContain('is version 1.0.0');
  expect(health).toContain('Set ANTHROPIC_API_KEY');
  expect(fake.calls()).toEqual([]);
});
