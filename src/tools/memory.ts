import { cacheTools } from './cache.ts';
import { careTools } from './memory-care.ts';
import { embeddingTools } from './memory-embed.ts';
import { entryTools } from './memory-entries.ts';
import { historyTools } from './memory-history.ts';
import { linkTools } from './memory-links.ts';
import { searchTools } from './memory-search.ts';
import { transferTools } from './memory-transfer.ts';
import { namespaceTools } from './namespaces.ts';
import { snapshotTools } from './snapshots.ts';

/** Memory that the sessions of a project share. */
export const memoryTools = [
  ...entryTools,
  ...searchTools,
  ...historyTools,
  ...linkTools,
  ...namespaceTools,
  ...careTools,
  ...transferTools,
  ...embeddingTools,
  ...snapshotTools,
  ...cacheTools,
] as const;
