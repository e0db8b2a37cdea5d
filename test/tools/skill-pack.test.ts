import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findSkills } from '../../src/skill/load.ts';
import { allTools } from '../../src/tools/all-tools.ts';
import { listTool } from '../../src/tools/listing.ts';
import { createApp } from '../../src/app.ts';
import { createTestApp } from '../helpers/test-app.ts';

const PACKAGE = join(import.meta.dirname, '..', '..');
const pack = () => findSkills({ roots: [{ source: 'package', dir: join(PACKAGE, 'skills') }] });

describe('the skills of the package', () => {
  test('are free of errors and warnings, and cost a session few characters', async () => {
    const skills = await pack();
    expect(skills.map(({ name }) => name)).toEqual(expect.arrayContaining(['code-review-swarm', 'shared-memory']));
    for (const { name, diagnostics } of skills) expect(diagnostics, name).toEqual([]);
    const descriptions = skills.map(({ skill }) => skill?.description ?? '');
    for (const description of descriptions) {
      expect(description).toMatch(/^Use when /);
      expect(description.length).toBeLessThanOrEqual(150);
    }
    expect(descriptions.join('').length).toBeLessThanOrEqual(1500);
  });

  test('strict readers find only the keys of the specification', async () => {
    for (const { dir } of await pack()) {
      const text = await readFile(join(dir, 'SKILL.md'), 'utf8');
      const keys = [...(text.split('---\n')[1] ?? '').matchAll(/^([\w-]+):/gm)].map(([, key]) => key);
      expect(['name', 'description', 'license', 'compatibility', 'metadata', 'allowed-tools']).toEqual(
        expect.arrayContaining(keys),
      );
      expect(text.split('\n').length).toBeLessThan(500);
    }
  });
});

describe('shared-memory', () => {
  const tools = new Map(allTools.map((tool) => [tool.name, tool]));
  const body = async (): Promise<string> => readFile(join(PACKAGE, 'skills', 'shared-memory', 'SKILL.md'), 'utf8');

  test('is a text: no swarm, and running it says so', async () => {
    const found = (await pack()).find(({ name }) => name === 'shared-memory');
    expect(found?.skill).toMatchObject({ name: 'shared-memory', swarm: null });
    await using app = await createTestApp();
    await using real = createApp({
      config: app.skillflow.app.config,
      runtime: app.skillflow.app.runtime,
      version: '0',
      packageDir: PACKAGE,
      workerUrl: null,
      vectorWorkerUrl: null,
    });
    const caller = { surface: 'api' } as const;
    expect(await real.call('skill_run', { skill: 'shared-memory' }, caller)).toMatchObject({
      ok: false,
      error: { code: 'unavailable', message: expect.stringContaining('no swarm') },
    });
    const list = await real.call('skill_list', {}, caller);
    expect(list).toMatchObject({
      ok: true,
      output: { skills: expect.arrayContaining([expect.objectContaining({ name: 'shared-memory', runnable: false })]) },
    });
    expect(await real.call('skill_show', { skill: 'shared-memory' }, caller)).toMatchObject({
      ok: true,
      output: { swarm: null },
    });
  });

  test('every tool, parameter and command that it names exists', async () => {
    const text = await body();
    for (const name of text.match(/\bmemory_[a-z]+\b/g) ?? []) expect([...tools.keys()]).toContain(name);
    const parameters = Object.keys(
      allTools.filter(({ name }) => name === 'memory_search').map((tool) => listTool(tool).inputSchema.properties)[0] ?? {},
    );
    const [, named = ''] = /also takes ([\s\S]*?)\. Other tools/.exec(text) ?? [];
    for (const [, parameter] of named.matchAll(/`([a-zA-Z]+)`/g)) expect(parameters).toContain(parameter);
    const commands = allTools.map(({ cli }) => cli.command.join(' '));
    const [, listed = ''] = /memory --help`: ([^.]*)\./.exec(text) ?? [];
    expect([...listed.matchAll(/`(\w+)`/g)].length).toBeGreaterThan(5);
    for (const [, command = ''] of listed.matchAll(/`(\w+)`/g)) expect(commands).toContain(`memory ${command}`);
  });

  test('its examples are valid calls', async () => {
    const text = await body();
    const [, example = ''] = /```json\n([\s\S]*?)```/.exec(text) ?? [];
    expect(tools.get('memory_store')?.bind(JSON.parse(example))).toMatchObject({ ok: true });
    for (const [, name = '', input = ''] of text.matchAll(/`(memory_[a-z]+)` `(\{.*?\})`/g))
      expect(tools.get(name)?.bind(JSON.parse(input)), name).toMatchObject({ ok: true });
    const [, query = ''] = /`(\{"query".*?\})`/.exec(text) ?? [];
    expect(tools.get('memory_search')?.bind(JSON.parse(query))).toMatchObject({ ok: true });
  });
});
