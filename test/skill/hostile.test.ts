import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import matter from 'gray-matter';
import { describe, expect, it } from 'vitest';
import { parseSkillFolder } from '../../src/skill/parse.ts';
import { brief, diagnose, HEAD, parseFiles, skillFile, skillFolder, swarmOf, tempDir } from './skill-folder.ts';

const KB = 1024;

/** Milliseconds; far above what any of these takes, far below what an unbounded parser would. */
const QUICK = 10_000;

describe('frontmatter in other languages', () => {
  it.each(['js', 'javascript', 'coffee', 'json', 'toml', ' js', '\tjavascript '])('---%s is never executed', async (language) => {
    const flag = `skillflowExecuted${Buffer.from(language).toString('hex')}`;
    const code = `(globalThis.${flag} = true, { name: "demo", description: "d" })`;
    expect(brief(await diagnose(`---${language}\n${code}\n---\nx\n`))).toEqual(['error frontmatter_language 1:1']);
    expect(Reflect.has(globalThis, flag)).toBe(false);
  });

  it('would run with gray-matter alone', () => {
    matter('---js\n(globalThis.skillflowCanary = true, {})\n---\n', {});
    expect(Reflect.has(globalThis, 'skillflowCanary')).toBe(true);
    Reflect.deleteProperty(globalThis, 'skillflowCanary');
  });

  it('does not answer from the cache of gray-matter', async () => {
    const text = skillFile();
    matter(text).data = { name: 'poisoned', description: 'x' };
    expect((await parseFiles({ 'SKILL.md': text })).skill?.name).toBe('demo');
  });
});

describe('YAML that attacks its reader', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
    .split('')
    .map((letter, i) => `${letter}: &${letter} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[i]}`).join(',')}]`)
    .join('\n')}\n`;

  it.each([
    ['an alias bomb', bomb, 'yaml_aliases'],
    ['many aliases', `a: &a 1\nb: [${'*a,'.repeat(200)}]\n`, 'yaml_aliases'],
    ['an alias without an anchor', 'a: *nowhere\n', 'yaml_aliases'],
    ['deep flow sequences', `a: ${'['.repeat(60 * KB)}\n`, 'too_deep'],
    ['deep flow maps', `a: ${'{a: '.repeat(15 * KB)}\n`, 'too_deep'],
    ['deep block sequences', `a:\n  ${'- '.repeat(30 * KB)}\n`, 'too_deep'],
    ['deep explicit keys', `${'? '.repeat(30 * KB)}\n`, 'too_deep'],
    ['very many keys', `a: {${Array.from({ length: 9000 }, (_, i) => `k${i}`).join(',')}}\n`, 'too_complex'],
    ['duplicate keys', 'a: 1\na: 2\n', 'duplicate_key'],
    ['duplicate keys, quoted', 'a: 1\n"a": 2\n', 'duplicate_key'],
    ['__proto__', '__proto__:\n  polluted: 1\n', 'forbidden_key'],
    ['__proto__ deep down', 'metadata: {"__proto__": {polluted: 1}}\n', 'forbidden_key'],
    ['constructor', 'metadata: {constructor: x}\n', 'forbidden_key'],
    ['a merge key', 'a: &a {b: 1}\nc:\n  <<: *a\n', 'yaml_merge_key'],
    ['a tag for code', 'a: !!js/function "function () {}"\n', 'yaml_tag'],
    ['a custom tag', 'a: !secret x\n', 'yaml_tag'],
    ['binary', 'a: !!binary aGk=\n', 'yaml_tag'],
    ['tabs', 'a:\n\tb: 1\n', 'yaml_tabs'],
    ['a collection as key', '? [a]\n: 1\n', 'yaml_syntax'],
  ])('%s', async (_, yaml, code) => {
    const started = performance.now();
    const front = await parseFiles({ 'SKILL.md': skillFile(yaml) });
    const { swarm, diagnostics } = await swarmOf(`agents: [{type: a}]\n${yaml}`);
    expect(performance.now() - started).toBeLessThan(QUICK);
    expect(front.skill).toBeNull();
    expect(swarm).toBeNull();
    expect(front.diagnostics.map((found) => found.code)).toContain(code);
    expect(diagnostics.map((found) => found.code)).toContain(code);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it.each([
    ['%YAML 1.1\n---\nagents: [{type: a}]\n', 'error yaml_directive 1:1'],
    ['%TAG ! tag:x,2000:\n---\nagents: [{type: a}]\n', 'error yaml_directive 1:1'],
    ['agents: [{type: a}]\n---\nagents: []\n', 'error yaml_documents 2:1'],
  ])('%j', async (text, expected) => {
    expect(brief((await swarmOf(text)).diagnostics)).toEqual([expected]);
  });

  it.each([
    ['frontmatter of blank lines', { 'SKILL.md': `---\n${'\n'.repeat(200 * KB)}---\n` }],
    ['frontmatter of spaces', { 'SKILL.md': `---\n${`${' '.repeat(100)}\n`.repeat(1900)}---\n` }],
    ['quotes', { 'SKILL.md': HEAD, 'swarm.yaml': '"'.repeat(250 * KB) }],
    ['directives', { 'SKILL.md': HEAD, 'swarm.yaml': '%Y\n'.repeat(80 * KB) }],
    ['brackets in the body', { 'SKILL.md': skillFile('', '['.repeat(250 * KB)) }],
    ['links in the body', { 'SKILL.md': skillFile('', '](../a '.repeat(35 * KB)) }],
    ['backticks in the body', { 'SKILL.md': skillFile('', '`a'.repeat(120 * KB)) }],
    ['parentheses in tools', { 'SKILL.md': skillFile(`allowed-tools: ${'a('.repeat(4000)}\n`) }],
    ['TOON of lines', { 'SKILL.md': HEAD, 'swarm.toon': 'a\n'.repeat(125 * KB) }],
    ['TOON of keys', { 'SKILL.md': HEAD, 'swarm.toon': Array.from({ length: 30 * KB }, (_, i) => `k${i}: 1`).join('\n') }],
    ['TOON that lies about its length', { 'SKILL.md': HEAD, 'swarm.toon': 'agents[999999999]{type}:\n  a\n' }],
    ['deep TOON', { 'SKILL.md': HEAD, 'swarm.toon': Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n') }],
  ] as const)('is read quickly: %s', async (_, files) => {
    const dir = await skillFolder(files);
    const started = performance.now();
    const { diagnostics } = await parseSkillFolder(dir);
    expect(performance.now() - started).toBeLessThan(QUICK);
    expect(diagnostics.length).toBeLessThan(70);
  });

  it('TOON with prototype keys pollutes nothing', async () => {
    const { diagnostics } = await swarmOf('agents[1]{type}:\n  a\n__proto__:\n  polluted: 1\n', 'swarm.toon');
    expect(brief(diagnostics)).toEqual(['error forbidden_key 3:1']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});

describe('bytes', () => {
  it('beyond 256 KB are not read', async () => {
    for (const size of [5 * KB * KB, 256 * KB + 1]) {
      expect(brief(await diagnose(HEAD + 'x'.repeat(size - HEAD.length)))).toEqual(['error too_large 1:1']);
    }
    expect(brief((await swarmOf(`#${'x'.repeat(256 * KB)}`)).diagnostics)).toEqual(['error too_large 1:1']);
    expect(await diagnose(HEAD + 'x'.repeat(256 * KB - HEAD.length))).toEqual([]);
  });

  it('that are no UTF-8 are told by place', async () => {
    const bad = (bytes: readonly number[]): Uint8Array =>
      Buffer.concat([Buffer.from('---\nname: dé'), Buffer.from(bytes), Buffer.from('\n---\n')]);
    expect(brief(await diagnose(bad([0xff])))).toEqual(['error invalid_utf8 2:9']);
    expect(brief(await diagnose(bad([0xc3])))).toEqual(['error invalid_utf8 2:9']);
    expect(brief(await diagnose(Buffer.from([0xff, 0xfe, 0x2d, 0])))).toEqual(['error invalid_utf8 1:1']);
    expect(brief(await diagnose(Buffer.concat([Buffer.from('---\nx'), Buffer.from([0xe2, 0x82])])))).toEqual([
      'error invalid_utf8 2:2',
    ]);
  });

  it('that are NUL are told by place', async () => {
    expect(brief(await diagnose('---\nname: de\0mo\n---\n'))).toEqual(['error nul_byte 2:9']);
  });
});

describe('what is no file', () => {
  it('a folder, a FIFO, a device and a socket are not waited for', async () => {
    const folder = await skillFolder({});
    await mkdir(join(folder, 'SKILL.md'));
    expect(brief((await parseSkillFolder(folder)).diagnostics)).toEqual(['error not_a_file 1:1']);

    const pipe = await skillFolder({ 'SKILL.md': HEAD });
    execFileSync('mkfifo', [join(pipe, 'swarm.yaml')]);
    expect(brief((await parseSkillFolder(pipe)).diagnostics)).toEqual(['error not_a_file 1:1']);

    const device = await skillFolder({ 'swarm.yaml': 'agents: [{type: a}]\n' });
    await symlink('/dev/zero', join(device, 'SKILL.md'));
    expect(brief((await parseSkillFolder(device)).diagnostics)).toEqual(['error symlink_outside 1:1']);

    const socket = await skillFolder({});
    const server = createServer();
    await new Promise<void>((done) => {
      server.listen(join(socket, 'SKILL.md'), done);
    });
    expect((await parseSkillFolder(socket)).skill).toBeNull();
    await new Promise((done) => {
      server.close(done);
    });
  });

  it('a folder that is missing, or a file in its place', async () => {
    const dir = await tempDir();
    expect(brief((await parseSkillFolder(join(dir, 'none'))).diagnostics)).toEqual(['error missing_folder 1:1']);
    await writeFile(join(dir, 'file'), 'x');
    expect(brief((await parseSkillFolder(join(dir, 'file'))).diagnostics)).toEqual(['error not_a_folder 1:1']);
    await mkdir(join(dir, 'empty'));
    expect(brief((await parseSkillFolder(join(dir, 'empty'))).diagnostics)).toEqual(['error missing_file 1:1']);
  });
});

describe('links', () => {
  it('to files outside the folder are errors, wherever they lie', async () => {
    const outside = await tempDir();
    await writeFile(join(outside, 'secret'), HEAD);
    for (const name of ['SKILL.md', 'swarm.yaml', 'references/deep/secret.md']) {
      const dir = await skillFolder({ 'SKILL.md': HEAD, 'references/deep/x.md': 'x' });
      if (name === 'SKILL.md') await rm(join(dir, name));
      await symlink(join(outside, 'secret'), join(dir, name));
      const { skill, diagnostics } = await parseSkillFolder(dir);
      expect(skill).toBeNull();
      expect(diagnostics.map(({ code, file }) => [code, file])).toEqual([['symlink_outside', join(dir, name)]]);
    }
  });

  it('to folders outside are errors, and a sibling with the same beginning is outside', async () => {
    const dir = await skillFolder({ 'SKILL.md': HEAD });
    await mkdir(`${dir}-other`);
    await symlink(`${dir}-other`, join(dir, 'more'));
    expect(brief((await parseSkillFolder(dir)).diagnostics)).toEqual(['error symlink_outside 1:1']);
  });

  it('inside the folder are fine, even in a circle', async () => {
    const dir = await skillFolder({ 'main.md': HEAD, 'swarm/real.yaml': 'agents: [{type: a}]\n' });
    await symlink('main.md', join(dir, 'SKILL.md'));
    await symlink('swarm/real.yaml', join(dir, 'swarm.yaml'));
    await symlink('.', join(dir, 'swarm', 'self'));
    const { skill, diagnostics } = await parseSkillFolder(dir);
    expect(diagnostics).toEqual([]);
    expect(skill?.swarm?.agents.length).toBe(1);
  });

  it('that are broken are told', async () => {
    const dir = await skillFolder({ 'SKILL.md': HEAD });
    await symlink('nowhere', join(dir, 'lost'));
    await symlink('loop', join(dir, 'loop'));
    const { skill, diagnostics } = await parseSkillFolder(dir);
    expect(skill).not.toBeNull();
    expect(brief(diagnostics)).toEqual(['warning symlink_broken 1:1', 'warning symlink_broken 1:1']);
  });

  it('may be the folder itself', async () => {
    const real = await skillFolder({ 'SKILL.md': HEAD, 'swarm.yaml': 'agents: [{type: a}]\n' });
    const link = join(await tempDir(), 'demo');
    await symlink(real, link);
    const { skill, diagnostics } = await parseSkillFolder(link);
    expect(diagnostics).toEqual([]);
    expect(skill).toMatchObject({ dir: link, file: join(link, 'SKILL.md') });
  });

  it('are not searched for in a folder with too many files', async () => {
    const dir = await skillFolder({ 'SKILL.md': HEAD });
    let deep = dir;
    for (let i = 0; i < 20; i += 1) deep = join(deep, 'd');
    await mkdir(deep, { recursive: true });
    expect(brief((await parseSkillFolder(dir)).diagnostics)).toEqual(['error too_many_files 1:1']);
  });
});
