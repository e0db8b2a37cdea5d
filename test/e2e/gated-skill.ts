import { createReviewedRepository } from './product.ts';
import type { Place } from './product.ts';

/** A repository with a skill `gated`, which reviews without a model and asks before it writes its report. */
export function createGatedRepository(): Place {
  const place = createReviewedRepository();
  place.write(
    '.claude/skills/gated/SKILL.md',
    '---\nname: gated\ndescription: Reviews code and asks before it writes. Use it to try approvals.\n---\nReview.\n',
  );
  place.write(
    '.claude/skills/gated/swarm.yaml',
    [
      'agents:',
      '  - type: security-analyst',
      '    capabilities: [secrets, security-patterns]',
      '  - type: context-reviewer',
      '    capabilities: [code-context]',
      'coordination:',
      '  topology: mesh',
      'approvals: [writing]',
      'outputs:',
      '  - type: report',
      '    format: json',
      '',
    ].join('\n'),
  );
  place.commit('a skill');
  return place;
}
