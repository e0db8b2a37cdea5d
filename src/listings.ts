import { claudeFlow2 } from '../compat/claude-flow-2.ts';
import { legacyListing } from './legacy/row.ts';
import { mcpTools } from './mcp/mcp-tools.ts';
import { recordOpening } from './mcp/record-opening.ts';
import { allTools } from './tools/all-tools.ts';
import { listTool } from './tools/listing.ts';

/** What the build writes for the CLI, the docs and `tools/list`. */
export const listings = allTools.map(listTool);

const legacy = legacyListing(claudeFlow2.rows).map((row) => ({
  ...row,
  annotations: { readOnly: false, destructive: false, idempotent: false },
}));

declare const SKILLFLOW_VERSION: string;

/** The tools that `tools/list` shows: our tools, then the legacy names that are not ours as well. */
export const mcpListing = mcpTools([...listings, ...legacy]);

/** What a server answers while a session opens, by the tools that it shows. */
export const openings = async () => ({
  default: await recordOpening(SKILLFLOW_VERSION, mcpListing.default),
  all: await recordOpening(SKILLFLOW_VERSION, mcpListing.all),
});
