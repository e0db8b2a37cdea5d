import { displayWidth, printable, printableProse, truncate } from '../printable.ts';
import { dollars } from '../run/amount-words.ts';
import type { AgentView, RunView, StepCounts } from '../tools/run-view.ts';

/** How a view is drawn. */
export interface ViewStyle {
  /** Columns and lines that there are; at least 1 each. */
  readonly width: number;
  readonly height: number;
  readonly color: boolean;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

const COLORS = { running: '36', completed: '32', failed: '31', waiting: '33', skipped: '2', dim: '2', bold: '1' } as const;
const MARKS: Readonly<Record<AgentView['state'], string>> = {
  running: '>',
  completed: '+',
  failed: 'x',
  waiting: '.',
  skipped: '-',
};
const BAR = 20;

function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m ${seconds % 60}s` : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}

function thousands(count: number): string {
  if (count < 1000) return String(count);
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)}k` : `${(count / 1_000_000).toFixed(1)}M`;
}

function total({ waiting, running, completed, skipped, failed }: StepCounts): number {
  return waiting + running + completed + skipped + failed;
}

/** A line in one colour; cut first, so that no colour code is. */
type Line = readonly [text: string, color?: keyof typeof COLORS];

function headLine({ skill, runId, topology, provider, startedAt, endedAt }: RunView, nowMs: number): Line {
  const elapsed = startedAt === null ? '' : `, ${duration((endedAt ?? nowMs) - startedAt)}`;
  return [`${printable(skill)} ${printable(runId)} (${printable(topology)}, ${printable(provider)})${elapsed}`, 'bold'];
}

function stepsLine({ steps }: RunView): Line {
  const all = total(steps);
  const ended = steps.completed + steps.skipped + steps.failed;
  const full = all === 0 ? 0 : Math.floor((ended / all) * BAR);
  const others = (['running', 'waiting', 'failed', 'skipped'] as const).flatMap((status) =>
    steps[status] === 0 ? [] : [`${steps[status]} ${status}`],
  );
  const said = others.length === 0 ? '' : `, ${others.join(', ')}`;
  return [`[${'='.repeat(full)}${' '.repeat(BAR - full)}] ${ended} of ${all} steps ended${said}`];
}

function agentLine({ id, state, doing, since, steps, tokens, costUsd }: AgentView, idWidth: number, nowMs: number): Line {
  const name = truncate(printable(id), idWidth);
  const ended = steps.completed + steps.skipped + steps.failed;
  const parts = [
    doing === '' ? '' : truncate(printableProse(doing), 48),
    since === null ? '' : duration(nowMs - since),
    total(steps) > 1 ? `${ended}/${total(steps)}` : '',
    tokens > 0 ? `${thousands(tokens)} tokens` : '',
    costUsd > 0 ? dollars(costUsd) : '',
  ].filter((part) => part !== '');
  const pad = ' '.repeat(Math.max(0, idWidth - displayWidth(name)));
  return [`${MARKS[state]} ${name}${pad}  ${state.padEnd(9)}  ${parts.join('  ')}`.trimEnd(), state];
}

function votesLine({ findings, ballots, decisions: { confirmed, rejected, open } }: RunView): readonly Line[] {
  const decided = confirmed + rejected + open;
  if (findings === 0 && ballots === 0 && decided === 0) return [];
  const outcome = decided === 0 ? '' : `; decided: ${confirmed} confirmed, ${rejected} rejected, ${open} open`;
  return [[`findings ${findings}, votes ${ballots}${outcome}`]];
}

function costLine({ tokens, costUsd, unpriced, budgetUsd }: RunView): readonly Line[] {
  if (tokens === 0 && costUsd === 0 && budgetUsd === null) return [];
  const budget = budgetUsd === null ? '' : ` of ${dollars(budgetUsd)}`;
  const unknown = unpriced === 0 ? '' : `, ${unpriced} calls at a price that is not known`;
  return [[`cost ${dollars(costUsd)}${budget}, ${thousands(tokens)} tokens${unknown}`]];
}

function tailLine({ status, waiting, last }: RunView): readonly Line[] {
  if (waiting !== null) return [[printableProse(waiting), 'waiting']];
  if (status !== 'running') return [[status, status === 'completed' ? 'completed' : 'failed']];
  return last === '' ? [] : [[printableProse(last), 'dim']];
}

/** `… 12 more: 9 waiting, 3 completed`. */
function moreAgents(agents: readonly AgentView[]): Line {
  const counts = new Map<string, number>();
  for (const { state } of agents) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [`… ${agents.length} more: ${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}`, 'dim'];
}

/**
 * A run as lines for a terminal: at most `height` of them, each at most `width` columns wide, without control characters
 * of the data. Pure.
 */
export function renderRunView(view: RunView, { width, height, color, nowMs }: ViewStyle): readonly string[] {
  const { agents } = view;
  const above = [headLine(view, nowMs), stepsLine(view)];
  const below = [...votesLine(view), ...costLine(view), ...tailLine(view)];
  const room = Math.max(0, height - above.length - below.length);
  const shown = agents.length <= room ? agents : agents.slice(0, Math.max(0, room - 1));
  const rest = agents.slice(shown.length);
  const idWidth = Math.min(32, Math.max(8, ...shown.map(({ id }) => displayWidth(printable(id)))));
  const lines = [
    ...above,
    ...shown.map((agent) => agentLine(agent, idWidth, nowMs)),
    ...(rest.length === 0 || room === 0 ? [] : [moreAgents(rest)]),
    ...below,
  ];
  return lines.slice(0, Math.max(1, height)).map(([text, paint]) => {
    const cut = truncate(text, Math.max(1, width));
    return color && paint !== undefined ? `\u001B[${COLORS[paint]}m${cut}\u001B[0m` : cut;
  });
}
