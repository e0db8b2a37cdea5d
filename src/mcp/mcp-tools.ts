import type { ListToolsResult } from '@modelcontextprotocol/server';
import type { JsonSchema, ToolListing } from '../tools/listing.ts';

type Tools = ListToolsResult['tools'];

/** What `tools/list` answers: by default, and when all is asked for. */
export interface McpListing {
  readonly default: Tools;
  readonly all: Tools;
}

/** A tool's input without its rare properties, or with them and without their mark. */
function inputOf({ properties = {}, ...schema }: JsonSchema, withRare: boolean): Tools[number]['inputSchema'] {
  const kept = Object.entries(properties).filter(([, property]) => withRare || property.rare !== true);
  const plain = kept.map(([name, { rare: _mark, ...property }]) => [name, property]);
  const input: Tools[number]['inputSchema'] = JSON.parse(
    JSON.stringify({ ...schema, type: 'object', properties: Object.fromEntries(plain) }),
  );
  return input;
}

function toolsOf(listings: readonly ToolListing[], all: boolean): Tools {
  return listings
    .filter(({ listed }) => all || listed)
    .map(({ name, description, inputSchema, annotations }) => ({
      name,
      description,
      inputSchema: inputOf(inputSchema, all),
      annotations: {
        readOnlyHint: annotations.readOnly,
        // The protocol's default is true, and it has no meaning for readers.
        ...(annotations.readOnly ? {} : { destructiveHint: annotations.destructive, idempotentHint: annotations.idempotent }),
      },
    }));
}

/**
 * What `tools/list` answers, from the listings: names, descriptions, input schemas, hints. Output schemas are left out:
 * they would double what every session pays, and `skillflow tools --json` prints them. So are, by default, tools and
 * properties that few calls need; all of them are accepted.
 */
export function mcpTools(listings: readonly ToolListing[]): McpListing {
  return { default: toolsOf(listings, false), all: toolsOf(listings, true) };
}
