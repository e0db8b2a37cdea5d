import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildReport } from '../../src/run/report/build-report.ts';
import type { ReportInput } from '../../src/run/report/report.ts';
import { renderSarif } from '../../src/run/report/sarif.ts';
import type { SarifOptions } from '../../src/run/report/sarif.ts';
import { anyInput, EMPTY, finding, RUN, SAMPLE } from './report-samples.ts';

const require = createRequire(import.meta.url);

/** The schema is a draft-04 one; but for its `id` and `$schema` it means the same as draft-07. */
function loadSchema(): Record<string, unknown> {
  const file = require.resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');
  const {
    id: _id,
    $schema: _schema,
    ...schema
  } = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')));
  return schema;
}

const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: false });
addFormats.default(ajv);
const validate = ajv.compile(loadSchema());

const logSchema = z.looseObject({
  runs: z.tuple([
    z.looseObject({
      tool: z.looseObject({ driver: z.looseObject({ rules: z.array(z.looseObject({ id: z.string() })) }) }),
      automationDetails: z.looseObject({ id: z.string() }),
      invocations: z.tuple([z.looseObject({ toolExecutionNotifications: z.array(z.looseObject({ level: z.string() })) })]),
      results: z.array(
        z.looseObject({
          ruleId: z.string(),
          ruleIndex: z.number(),
          level: z.string(),
          message: z.object({ text: z.string() }),
          locations: z.tuple([
            z.object({
              physicalLocation: z.object({
                artifactLocation: z.object({ uri: z.string(), uriBaseId: z.string() }),
                region: z.unknown(),
              }),
            }),
          ]),
          suppressions: z.array(z.unknown()),
        }),
      ),
    }),
  ]),
});

function render(input: ReportInput, options: Partial<SarifOptions> = {}): z.infer<typeof logSchema>['runs'][0] {
  const log: unknown = JSON.parse(renderSarif(buildReport(input), { toolVersion: '0.1.0', ...options }));
  validate(log);
  expect(validate.errors ?? []).toEqual([]);
  return logSchema.parse(log).runs[0];
}

describe('renderSarif', () => {
  it('is held against a schema that refuses what is wrong', () => {
    expect(validate({ version: '2.1.0', runs: [] })).toBe(true);
    expect(validate({ version: '2.1.0', runs: [{ tool: { driver: {} } }] })).toBe(false);
    expect(validate({ version: '2.1.0', runs: [], extra: 1 })).toBe(false);
  });

  it('gives every finding a result at its place', () => {
    const run = render(SAMPLE);
    expect(run.results).toHaveLength(4);
    expect(run.results[0]).toMatchObject({
      ruleId: 'security/js-eval-dynamic',
      ruleIndex: 0,
      level: 'error',
      message: { text: 'eval runs a string made from input. Parse the input as JSON.' },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'src/run.js', uriBaseId: '%SRCROOT%' },
            region: { startLine: 5, startColumn: 3, endLine: 5, endColumn: 20 },
          },
        },
      ],
      relatedLocations: [{ id: 0, physicalLocation: { artifactLocation: { uri: 'src/new.ts' } } }],
      partialFingerprints: { 'skillflow/v1': 'f_confirmed' },
      suppressions: [],
      properties: { outcome: 'confirmed', confidence: 'high' },
    });
    expect(run['columnKind']).toBe('utf16CodeUnits');
    expect(JSON.stringify(run)).not.toContain('/home/someone');
  });

  it('suppresses what was rejected, with the reasons', () => {
    const suppressed = render(SAMPLE).results.filter(({ suppressions }) => suppressions.length > 0);
    expect(suppressed.map(({ suppressions }) => suppressions)).toEqual([
      [
        {
          kind: 'external',
          status: 'accepted',
          justification: 'found by security-analyst; rejected by quality-reviewer (The string is a constant)',
        },
      ],
    ]);
  });

  it('maps severities to levels', () => {
    const findings = (['critical', 'high', 'medium', 'low', 'info'] as const).map((severity) => finding(severity, { severity }));
    expect(render({ ...SAMPLE, findings }).results.map(({ level }) => level)).toEqual([
      'error',
      'error',
      'warning',
      'note',
      'note',
    ]);
  });

  it('describes the rules, from what is known of them or from their findings', () => {
    const { rules } = render(SAMPLE, {
      rules: [
        { id: 'security/js-eval-dynamic', summary: 'Code made from {input}.', help: 'Parse it.', cwe: ['CWE-94'] },
        { id: 'security/unused', summary: 'Never found.' },
      ],
    }).tool.driver;
    expect(rules).toEqual([
      {
        id: 'security/js-eval-dynamic',
        shortDescription: { text: 'Code made from {{input}}.' },
        help: { text: 'Parse it.' },
        defaultConfiguration: { level: 'error' },
        properties: { tags: ['security', 'external/cwe/cwe-94', 'external/cwe/cwe-95'], 'security-severity': '9.5' },
      },
      {
        id: 'style/long-line',
        shortDescription: { text: 'long line' },
        help: { text: 'long line' },
        defaultConfiguration: { level: 'note' },
        properties: { tags: ['style', 'security'] },
      },
    ]);
  });

  it('percent-encodes paths and defuses placeholders and links of messages', () => {
    const odd = finding('f_1', { file: 'a b/ü#?%:[1].ts', message: '{0} [x](javascript:1) \u001B[31m' });
    const [result] = render({ ...SAMPLE, findings: [odd] }).results;
    expect(result?.locations[0].physicalLocation.artifactLocation.uri).toBe('a%20b/%C3%BC%23%3F%25%3A%5B1%5D.ts');
    expect(result?.message.text).toBe(String.raw`{{0}} [x] (javascript:1) \x1b[31m`);
  });

  it('tells how the run went and what was left out', () => {
    const whole = render(SAMPLE).invocations[0];
    expect(whole).toMatchObject({
      executionSuccessful: true,
      startTimeUtc: '2025-01-02T03:04:05.000Z',
      endTimeUtc: '2025-01-02T03:04:08.210Z',
    });
    expect(whole.toolExecutionNotifications).toHaveLength(6);
    expect(whole.toolExecutionNotifications[0]).toEqual({
      level: 'note',
      message: { text: 'design-reviewer did not run: needs a model provider' },
      descriptor: { id: 'agent_skipped' },
    });
    const failed = render({ ...SAMPLE, run: { ...RUN, status: 'failed', reason: 'The disk is full.' } }).invocations[0];
    expect(failed['executionSuccessful']).toBe(false);
    expect(failed.toolExecutionNotifications[0]).toMatchObject({ level: 'error', message: { text: 'The disk is full.' } });
  });

  it.each([
    ['https://me:secret@example.com/a/b.git?token=x#y', 'https://example.com/a/b.git'],
    ['git@example.com:a/b.git', 'ssh://example.com/a/b.git'],
    ['ssh://git@example.com:22/a/b.git', 'ssh://example.com:22/a/b.git'],
    ['/srv/git/b.git', undefined],
    ['file:///srv/git/b.git', undefined],
    [String.raw`C:\git\b`, undefined],
    ['', undefined],
  ])('names the repository %j as %j', (repository, repositoryUri) => {
    const head = 'a'.repeat(40);
    const expected = repositoryUri === undefined ? undefined : [{ repositoryUri, revisionId: head, branch: 'main' }];
    expect(render(SAMPLE, { repository })['versionControlProvenance']).toEqual(expected);
  });

  it('says nothing of version control when nothing is known', () => {
    expect(render(SAMPLE)).not.toHaveProperty('versionControlProvenance');
    expect(render(EMPTY, { repository: 'https://example.com/a' })).not.toHaveProperty('versionControlProvenance');
  });

  it('takes a run id for a GUID only when it is one', () => {
    expect(render(SAMPLE).automationDetails).toEqual({ id: 'skillflow/code-review/run_01JAB' });
    const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
    expect(render({ ...SAMPLE, run: { ...RUN, id } }).automationDetails).toEqual({ id: `skillflow/code-review/${id}`, guid: id });
  });

  it('has an empty list of results for an empty run', () => {
    expect(render(EMPTY).results).toEqual([]);
  });

  it('is valid whatever the report, its indices pointing at the right rules', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const run = render(input);
        for (const { ruleId, ruleIndex } of run.results) expect(run.tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
      }),
      { seed: 6, numRuns: 60 },
    );
  });
});
