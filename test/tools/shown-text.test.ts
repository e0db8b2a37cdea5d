import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { allTools } from '../../src/tools/all-tools.ts';

import type { JsonSchema } from '../../src/tools/listing.ts';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

/** Clears the screen, sets a colour, a title; a C1 control, a bidi override, a lone carriage return. */
const HOSTILE = 'a\u001B[2J\u001B[31m\u001B]0;t\u0007\u009B2J\u202Eb\rc';
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u200B\u2028-\u202E\u2066-\u2069]/u;

let calls: ToolCalls;
beforeAll(async () => {
  calls = await createToolCalls();
  return () => calls[Symbol.asyncDispose]();
});

const hostileKeys = (schema: JsonSchema): boolean => typeof schema['additionalProperties'] === 'object';

/** A value of a schema, every text of which is hostile. */
function sample(schema: JsonSchema, choice: number): unknown {
  const { const: only, enum: values, anyOf, pattern, format } = schema;
  if (only !== undefined) return only;
  if (Array.isArray(values)) return values[choice % values.length];
  if (Array.isArray(anyOf)) return sample(Object(anyOf[choice % anyOf.length]), choice);
  if (Array.isArray(schema.type)) return sample({ ...schema, type: String(schema.type[choice % schema.type.length]) }, choice);
  if (schema.type === 'object') {
    const members = Object.entries(schema.properties ?? {}).map(([name, member]) => [name, sample(member, choice)]);
    if (hostileKeys(schema)) {
      const key = z.looseObject({ enum: z.array(z.string()) }).safeParse(schema['propertyNames']);
      const names = key.success ? key.data.enum : [HOSTILE];
      for (const name of names) members.push([name, sample(Object(schema['additionalProperties']), choice)]);
    }
    return Object.fromEntries(members);
  }
  if (schema.type === 'array')
    return schema.items === undefined ? [] : [sample(schema.items, choice), sample(schema.items, choice + 1)];
  if (schema.type === 'number' || schema.type === 'integer') return 1;
  if (schema.type === 'boolean') return choice % 2 === 0;
  if (schema.type === 'null') return null;
  if (pattern !== undefined || format !== undefined) return '2026-01-01T00:00:00.000Z';
  return HOSTILE;
}

test.each(allTools.map((tool) => [tool.name, tool] as const))('%s prints nothing that steers a terminal', async (name, tool) => {
  const schema = z.toJSONSchema(tool.output, { io: 'output', unrepresentable: 'any' });
  const problems: unknown[] = [];
  let shown = 0;
  for (let choice = 0; choice < 8; choice += 1) {
    const output = tool.output.safeParse(sample(Object(schema), choice));
    if (!output.success) {
      problems.push(output.error.issues[0]);
      continue;
    }
    const text = await calls.app.skillflow.render(name, output.data, { color: false, width: 200 });
    expect(CONTROLS.exec(text.replaceAll('\n', '')), JSON.stringify(text)).toBeNull();
    shown += 1;
  }
  expect(shown, JSON.stringify(problems[0])).toBeGreaterThan(0);
});
