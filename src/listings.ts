import { claudeFlow2 } from '../compat/claude-flow-2.ts';
import { legacyListing } from './legacy/row.ts';
import { mcpTools } from './mcp/mcp-tools.ts';
import { allTools } from './tools/all-tools.ts';
import { listTool } from './tools/listing.ts';

/** What the build writes for the CLI, the docs and `tools/list`. */
export const listings = allTools.map(listTool);

const legacy = legacyListing(claudeFlow2.rows).map((row) => ({
  ...row,
  annotations: { readOnly: false, destructive: false, idempotent: false },
}));

/** The answers to `tools/list`: our tools, then the legacy names that are not ours as well. */
export const mcpListing = mcpTools([...listings, ...legacy]);
