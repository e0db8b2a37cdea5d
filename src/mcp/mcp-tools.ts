import type { ListToolsResult } from '@modelcontextprotocol/server';
import type { JsonSchema, ToolListing } from '../tools/listing.ts';

type Tools = ListToolsResult['tools'];

/** What `tools/list` answers: by default, and when all is asked for. */
export interface McpListing {
  readonly default: Tools;
  readonly all: Tools;
}

/** Bounds that an error tells whoever passes them: in the listing that every session pays they are left out. */
const BOUNDS = new Set(['minimum', 'maximum', 'exclusiveMinimum', 'minItems', 'maxItems', 'pattern', 'propertyNames']);

/** A property's schema without its bounds. */
function unbounded({ items, properties: _none, ...schema }: JsonSchema): JsonSchema {
  const kept = Object.entries(schema).filter(([keyword]) => !BOUNDS.has(keyword));
  return { ...Object.fromEntries(kept), ...(items === undefined ? {} : { items: unbounded(items) }) };
}

/** A tool's input: whole, or without its rare properties and without bounds; never with the mark of the rare ones. */
function inputOf({ properties = {}, ...schema }: JsonSchema, whole: boolean): Tools[number]['inputSchema'] {
  const kept = Object.entries(properties).filter(([, property]) => whole || property.rare !== true);
  const plain = kept.map(([name, { rare: _mark, ...property }]) => [name, whole ? property : unbounded(property)]);
  const input: Tools[number]['inputSchema'] = JSON.parse(
    JSON.stringify({ ...schema, type: 'object', properties: Object.fromEntries(plain) }),
  );
  return input;
}

type Hints = Tools[number]['annotations'];

/** Hints; in the short listing only where they differ from the protocol's default, but for what may destroy something. */
function hintsOf({ readOnly, destructive, idempotent }: ToolListing['annotations'], whole: boolean): Hints {
  // What a tool that only reads destroys has no meaning for readers.
  if (readOnly) return { readOnlyHint: true };
  if (whole) return { readOnlyHint: false, destructiveHint: destructive, idempotentHint: idempotent };
  return { destructiveHint: destructive, ...(idempotent ? { idempotentHint: true } : {}) };
}

function toolsOf(listings: readonly ToolListing[], all: boolean): Tools {
  return listings
    .filter(({ listed }) => all || listed)
    .map(({ name, description, inputSchema, annotations }) => ({
      name,
      description,
      inputSchema: inputOf(inputSchema, all),
      annotations: hintsOf(annotations, all),
    }));
}

/**
 * What `tools/list` answers, from the listings: names, descriptions, input schemas, hints. Output schemas are left out:
 * they would double what every session pays, and `skillflow tools --json` prints them. So are, by default, bounds, and tools
 * and properties that few calls need; all of them are accepted.
 */
export function mcpTools(listings: readonly ToolListing[]): McpListing {
  return { default: toolsOf(listings, false), all: toolsOf(listings, true) };
}
