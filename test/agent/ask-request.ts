import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AskEvent, AskRequest } from '../../src/agent/provider.ts';
import type { AgentToolName, Role } from '../../src/agent/role.ts';
import { AGENT_TOOL_NAMES } from '../../src/agent/role.ts';
import { findingId } from '../../src/analysis/finding-id.ts';
import { redactSecrets } from '../../src/analysis/secrets-redact.ts';
import type { ChangeSet, SourceFile } from '../../src/changes.ts';

/** A role with some tools, all of them by default. */
export function testRole(tools: readonly AgentToolName[] = AGENT_TOOL_NAMES): Role {
  return {
    name: 'reviewer',
    description: 'Reads changes and says what is wrong with them.',
    style: 'convergent',
    model: 'standard',
    tools,
    prompt: 'You review code.',
  };
}

/** Writes files into a root and makes a change set of them, all of each file changed. */
export async function changeSet(root: string, files: Readonly<Record<string, string>>): Promise<ChangeSet> {
  const sources: SourceFile[] = [];
  for (const [path, text] of Object.entries(files)) {
    const absolutePath = join(root, path);
    await mkdir(dirname(absolutePath), { recursive: true });
    await writeFile(absolutePath, text);
    sources.push({ path, absolutePath, language: 'text', bytes: Buffer.byteLength(text), status: 'modified', changed: 'all' });
  }
  return { root, mode: 'tree', base: null, git: null, files: sources, skipped: [], notes: [] };
}

/** A question about a change set; events are collected where a list is given. */
export function askRequest(changes: ChangeSet, parts: Partial<AskRequest> = {}, events: AskEvent[] = []): AskRequest {
  return {
    runId: 'run_1',
    stepId: '1-work-reviewer',
    attempt: 1,
    kind: 'work',
    agent: { id: 'reviewer-1', type: 'reviewer', capabilities: ['review'], role: testRole() },
    task: 'Review the change.',
    changes,
    sees: [],
    mail: [],
    limits: { maxTokens: null, maxCostUsd: null },
    sessionId: '00000000-0000-4000-8000-000000000000',
    sessionUsd: null,
    signal: new AbortController().signal,
    onEvent: (event) => void events.push(event),
    ...parts,
  };
}

/** The real functions that providers get from `analysis/`. */
export const ANSWER_DEPS = { findingId, redact: redactSecrets };

/** An answer without findings. */
export const NOTHING_FOUND = { findings: [], text: 'all is well', confidence: 0.9, notes: [] };
