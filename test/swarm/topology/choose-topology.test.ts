import { describe, expect, it } from 'vitest';
import { chooseTopology } from '../../../src/swarm/topology/choose-topology.ts';

const many = (n: number, type = 'worker'): string[] => Array.from({ length: n }, () => type);
const choose = (types: readonly string[], task = '', span = 4): string => chooseTopology({ types, task, span }).choice;

describe('chooseTopology', () => {
  it.each([
    [['a'], 'star'],
    [['architect', 'coder', 'tester'], 'ring'],
    [['researcher', 'architect', 'coder', 'tester', 'reviewer', 'documenter'], 'ring'],
    [['coder', 'reviewer'], 'ring'],
    // Backwards, twice the same stage, a role outside the order, and nobody who makes anything: no sequence.
    [['tester', 'coder', 'architect'], 'star'],
    [['coder', 'coder', 'tester'], 'star'],
    [['coder', 'gardener', 'tester'], 'star'],
    [['researcher', 'tester'], 'star'],
    [['reviewer', 'reviewer', 'reviewer'], 'mesh'],
    [['code-quality-reviewer', 'security-analyst', 'judge'], 'mesh'],
    [['reviewer', 'viewer'], 'star'],
    [many(16, 'reviewer'), 'mesh'],
    [many(17, 'reviewer'), 'hierarchy'],
    [many(2), 'star'],
    [many(5), 'star'],
    [many(6), 'hierarchy'],
  ] as const)('%j: %s', (types, expected) => {
    expect(choose(types)).toBe(expected);
  });

  it.each([
    ['Go through the files STEP BY STEP.', 'ring'],
    ['Build a data pipeline', 'ring'],
    ['Compare the two libraries', 'mesh'],
    ['review, then report', 'mesh'],
    ['Make the numbers comparable', 'star'],
    ['', 'star'],
  ])('reads the task: %s → %s', (task, expected) => {
    expect(choose(many(3), task)).toBe(expected);
  });

  it('asks for a hierarchy where the span is too small for a hub', () => {
    expect(choose(many(4), '', 2)).toBe('hierarchy');
    expect(choose(many(4), '', 3)).toBe('star');
  });

  it('says why in a sentence', () => {
    expect(chooseTopology({ types: ['architect', 'coder'], task: '', span: 4 }).reason).toBe(
      'Topology ring: each role builds on the one before (architect → coder).',
    );
    expect(chooseTopology({ types: many(2), task: 'Please audit it', span: 4 }).reason).toBe(
      'Topology mesh: the task says "audit", so each judges what the others made.',
    );
    expect(chooseTopology({ types: many(9), task: '', span: 4 }).reason).toBe(
      'Topology hierarchy: 9 agents are more than one can lead with a span of 4.',
    );
  });
});
