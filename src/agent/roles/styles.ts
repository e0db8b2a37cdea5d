import type { CognitiveStyle } from '../role.ts';

/** What a model is told about how to think, by style; one paragraph each, put after the role's prompt. */
export const STYLE_TEXTS: Readonly<Record<CognitiveStyle, string>> = {
  convergent:
    'How you think: towards one answer. Take the likeliest explanation first, look for the single observation that would ' +
    'prove it wrong, and stop as soon as the evidence decides. Give one conclusion with its evidence; name an alternative ' +
    'only where the evidence leaves it open.',
  divergent:
    'How you think: towards many answers before choosing. Find at least three candidates that differ in kind, not in ' +
    'detail, before you judge any of them. Then keep those that the evidence supports, say what speaks against each one ' +
    'that you drop, and never pad the list to look thorough.',
  lateral:
    'How you think: sideways. Question what the task takes for granted, look at the problem from the side of whoever ' +
    'uses, attacks, pays for or maintains the thing, and try the reverse of the obvious approach. An unusual idea needs the ' +
    'same evidence as a usual one: test it against the facts, and drop it if it fails.',
  systems:
    'How you think: about the whole. Before you judge a part, find what depends on it, what it depends on, and what happens ' +
    'over time: feedback, load, failure of a neighbour, the order of events. Report effects with the path by which they ' +
    'travel, and tell causes from symptoms.',
};
