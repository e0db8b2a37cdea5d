import { setFlagsFromString } from 'node:v8';

/**
 * Trades a little speed for memory and for the time of other processes, since one server runs for each session of the user:
 * the young generation stays at 2 MB instead of growing to 32 MB and staying there, the old one is collected once it has
 * grown by half, and in Node 20 a function is optimized once it has run for twice as long as usual, which takes a tenth of
 * all CPU time away from the first searches and makes the slow ones quicker; later versions of V8 have no such setting, and
 * would say so. V8 reads them whenever it decides, so they count though the process has started. Source: V8's flags
 * `semi_space_growth_factor`, `heap_growing_percent` and `interrupt_budget` (67,584 by default); `bench/search.ts` prints what
 * they save.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=50');
  if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=150000');
}
