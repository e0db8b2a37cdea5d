import type { ListToolsResult } from '@modelcontextprotocol/server';
import type { ToolListing } from '../tools/listing.ts';

/**
 * What `tools/list` answers, from the listings: names, descriptions, input schemas, hints. Output schemas are left out:
 * they would double what every session pays, and `skillflow tools --json` prints them.
 */
export function mcpTools(listings: readonly ToolListing[]): ListToolsResult['tools'] {
  const tools = listings.map(({ name, description, inputSchema, annotations }) => ({
    name,
    description,
    inputSchema: { ...inputSchema, type: 'object' },
    annotations: {
      readOnlyHint: annotations.readOnly,
      // The protocol's default is true, and it has no meaning for readers.
      ...(annotations.readOnly ? {} : { destructiveHint: annotations.destructive, idempotentHint: annotations.idempotent }),
    },
  }));
  const plain: ListToolsResult['tools'] = JSON.parse(JSON.stringify(tools));
  return plain;
}
