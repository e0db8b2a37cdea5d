import * as z from 'zod';
import type { AnyTool, CliShape, ToolAnnotations } from './tool.ts';

/** A tool as `tools/list`, the CLI's help and the docs show it; made at build time, so that no schema is built at start. */
export interface ToolListing {
  readonly name: string;
  readonly description: string;
  /** JSON Schema, draft 2020-12. */
  readonly inputSchema: JsonSchema;
  readonly outputSchema?: JsonSchema;
  readonly annotations: ToolAnnotations;
  /** Whether the default `tools/list` shows it. */
  readonly listed: boolean;
  /** Absent for names that only MCP callers use. */
  readonly cli?: CliShape;
}

/** The part of JSON Schema that readers of a listing look at. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  /** Marks a property that the default `tools/list` leaves out. */
  readonly rare?: boolean;
  readonly [keyword: string]: unknown;
}

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.union([z.string(), z.array(z.string())]).exactOptional(),
    properties: z.record(z.string(), jsonSchema).exactOptional(),
    required: z.array(z.string()).exactOptional(),
    items: jsonSchema.exactOptional(),
    description: z.string().exactOptional(),
    enum: z.array(z.unknown()).exactOptional(),
    rare: z.boolean().exactOptional(),
  }),
);

/** Keywords that cost bytes in every listing and tell a caller nothing. */
const NOISE = new Set(['$schema', 'additionalProperties']);
const INTEGER_LIMITS = new Set([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);

function slim(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(slim);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, member]) => !NOISE.has(key) && !((key === 'maximum' || key === 'minimum') && INTEGER_LIMITS.has(Number(member))),
  );
  return Object.fromEntries(kept.map(([key, member]) => [key, slim(member)]));
}

/** The listing of a tool, its schemas in JSON Schema without what says nothing. */
export function listTool(tool: AnyTool): ToolListing {
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema =>
    jsonSchema.parse(slim(z.toJSONSchema(schema, { io, unrepresentable: 'any' })));
  return {
    name: tool.name,
    description: tool.description,
    inputSchema: schemaOf(tool.input, 'input'),
    // What a tool answers in either of two forms is an object all the same, and clients want to read that first.
    outputSchema: { type: 'object', ...schemaOf(tool.output, 'output') },
    annotations: tool.annotations,
    listed: tool.listed,
    cli: tool.cli,
  };
}
