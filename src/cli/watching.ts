import type { RunEvent } from '../events.ts';
import type { Caller } from '../executor/executor.ts';
import type { RunViewer } from '../tools/run-view.ts';
import { askPerson } from './ask-person.ts';
import type { LiveScreen } from './live-screen.ts';
import type { CliApp, Session } from './session.ts';

/** Shows a run on the terminal that stderr goes to. */
export interface Watching {
  onEvents(events: readonly RunEvent[]): void;
  /** What a step says of itself, until the next event. */
  onProgress(what: string): void;
  /** Runs what writes to the terminal itself. */
  aside<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Whether stderr is a terminal that lines can be drawn on in place. */
export function canWatch({ stderrTty, env }: Session): boolean {
  return stderrTty && env['TERM'] !== 'dumb';
}

interface Drawing {
  readonly viewer: RunViewer;
  readonly screen: LiveScreen;
}

async function loadDrawing(
  { complain, ticks, stderrSize, stderrColor }: Session,
  { app: { runtime } }: CliApp,
  said: () => string | undefined,
): Promise<Drawing> {
  const [{ createRunViewer }, { renderRunView }, { createLiveScreen }] = await Promise.all([
    import('../tools/run-view.ts'),
    import('./live-view.ts'),
    import('./live-screen.ts'),
  ]);
  const viewer = createRunViewer();
  const screen = createLiveScreen({
    write: complain,
    ticks,
    size: stderrSize,
    render: (width, height) => {
      const view = viewer.view();
      const style = { width, height, color: stderrColor, nowMs: runtime.now() };
      return renderRunView({ ...view, last: said() ?? view.last }, style);
    },
  });
  return { viewer, screen };
}

/** Loads what draws with the first event: most calls drive no run. */
export function createWatching(session: Session, app: CliApp): Watching {
  let loading: Promise<void> | undefined;
  let drawing: Drawing | undefined;
  let early: RunEvent[] = [];
  let asides = 0;
  let isClosed = false;
  let said: string | undefined;
  const load = async (): Promise<void> => {
    const loaded = await loadDrawing(session, app, () => said);
    if (isClosed) {
      loaded.screen.close();
      return;
    }
    if (asides > 0) loaded.screen.suspend();
    loaded.viewer.apply(early);
    early = [];
    loaded.screen.touch();
    drawing = loaded;
  };
  return {
    onEvents: (events) => {
      said = undefined;
      if (drawing === undefined) {
        early.push(...events);
        loading ??= load();
        return;
      }
      drawing.viewer.apply(events);
      drawing.screen.touch();
    },
    onProgress: (what) => {
      said = what;
      drawing?.screen.touch();
    },
    aside: async (work) => {
      asides += 1;
      drawing?.screen.suspend();
      try {
        return await work();
      } finally {
        asides -= 1;
        if (asides === 0) drawing?.screen.resume();
      }
    },
    close: async () => {
      isClosed = true;
      await loading;
      drawing?.screen.close();
    },
  };
}

/** Asks whoever sits at the terminal; `undefined` where nobody does. */
export function personAt(session: Session): Caller['askPerson'] {
  const { stdinTty, stderrTty, complain, readLine, dropTyped, signal } = session;
  if (!stdinTty || !stderrTty) return undefined;
  return (question, withdrawn) => askPerson(question, { write: complain, readLine, dropTyped, signal, withdrawn });
}
