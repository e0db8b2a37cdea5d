import type { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { OTLPTraceExporter as OtlpExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Resource } from '@opentelemetry/resources';
import * as z from 'zod';
import { UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Span } from './span.ts';

/** Takes spans that have ended; they leave in batches. Disposal sends what is left, as long as one export may take. */
export interface SpanSink extends AsyncDisposable {
  add(spans: readonly Span[]): void;
}

export interface OtlpSinkOptions {
  /** Where spans go: the whole URL. */
  readonly endpoint: string;
  readonly runtime: Pick<Runtime, 'env' | 'log'>;
  /** Of Skillflow. */
  readonly version: string;
  /** Imports a package by its name; default: from where Skillflow is installed. */
  readonly load?: ((name: string) => Promise<unknown>) | undefined;
}

const PACKAGES = {
  api: '@opentelemetry/api',
  base: '@opentelemetry/sdk-trace-base',
  exporter: '@opentelemetry/exporter-trace-otlp-http',
  resources: '@opentelemetry/resources',
} as const;
/** Milliseconds that one export may take, repetitions included, unless OpenTelemetry's variables say another time. */
const EXPORT_MS = 2_000;

const anyObject = <T>() => z.custom<T>((value) => typeof value === 'object' && value !== null);
const anyFunction = <T>() => z.custom<T>((value) => typeof value === 'function');

/** What is used of the packages, from their versions 2 and 0.200 on; source: open-telemetry.github.io/opentelemetry-js. */
const apiShape = z.object({
  SpanKind: anyObject<typeof SpanKind>(),
  SpanStatusCode: anyObject<typeof SpanStatusCode>(),
  TraceFlags: anyObject<typeof TraceFlags>(),
});
const baseShape = z.object({ BatchSpanProcessor: anyFunction<new (exporter: SpanExporter) => SpanProcessor>() });
const exporterShape = z.object({ OTLPTraceExporter: anyFunction<typeof OtlpExporter>() });
const resourcesShape = z.object({
  defaultResource: anyFunction<() => Resource>(),
  resourceFromAttributes: anyFunction<(attributes: Readonly<Record<string, string>>) => Resource>(),
  detectResources: anyFunction<(config: { readonly detectors: readonly unknown[] }) => Resource>(),
  envDetector: z.unknown(),
});

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of several failed connections the message is empty, and the code is not. */
function causeOf(error: Error): string {
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}

function isMissing(error: unknown, name: string): boolean {
  return (
    error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes(`'${name}'`)
  );
}

async function loadPackage<T>(name: string, shape: z.ZodType<T>, load: (name: string) => Promise<unknown>): Promise<T> {
  const hint = `Run \`npm install ${Object.values(PACKAGES).join(' ')}\` where Skillflow is installed, or unset the endpoint.`;
  const module = await load(name).catch((error: unknown) => {
    const why = isMissing(error, name) ? 'is not installed' : `cannot be loaded: ${messageOf(error)}`;
    throw new UnavailableError(`${name} ${why}`, { hint, cause: error });
  });
  const parsed = shape.safeParse(module);
  if (parsed.success) return parsed.data;
  throw new UnavailableError(`this version of ${name} is not one that Skillflow knows`, { hint, cause: parsed.error });
}

/** The endpoint as a log may show it: without what may be secret in a path, a query or a user's part. */
function shownEndpoint(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).origin : 'the endpoint';
}

/** Source: `ExportResultCode` of @opentelemetry/core, which is not among the packages that are asked for. */
function hasArrived({ code }: { readonly code: number }): boolean {
  return code === 0;
}

/** Says why spans do not arrive: the first time as a warning, after that only to who wants to know all. */
function telling(exporter: SpanExporter, { endpoint, runtime }: OtlpSinkOptions): SpanExporter {
  let hasWarned = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (!hasArrived(result)) {
          const why = result.error === undefined ? '' : `: ${causeOf(result.error)}`;
          const told = `${spans.length} spans could not be exported to ${shownEndpoint(endpoint)}${why}`;
          runtime.log(hasWarned ? 'debug' : 'warn', hasWarned ? told : `${told}; they are sent as OTLP over HTTP in JSON`);
          hasWarned = true;
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

const hrTime = (ms: number): [number, number] => [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];

/** Loads the packages, and gives what takes a span. */
async function open(
  options: OtlpSinkOptions,
): Promise<{ readonly processor: SpanProcessor; readonly add: (span: Span) => void }> {
  const { endpoint, runtime, version, load = (name) => import(name) } = options;
  const [api, base, { OTLPTraceExporter }, resources] = await Promise.all([
    loadPackage(PACKAGES.api, apiShape, load),
    loadPackage(PACKAGES.base, baseShape, load),
    loadPackage(PACKAGES.exporter, exporterShape, load),
    loadPackage(PACKAGES.resources, resourcesShape, load),
  ]);
  const { env } = runtime;
  const isTimed = (env['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'] ?? env['OTEL_EXPORTER_OTLP_TIMEOUT']) !== undefined;
  // Headers, compression, certificates and batch sizes are read from OpenTelemetry's variables by the packages themselves.
  const exporter = new OTLPTraceExporter({ url: endpoint, ...(isTimed ? {} : { timeoutMillis: EXPORT_MS }) });
  const processor = new base.BatchSpanProcessor(telling(exporter, options));
  const resource = resources
    .defaultResource()
    .merge(resources.resourceFromAttributes({ 'service.name': 'skillflow', 'service.version': version }))
    .merge(resources.detectResources({ detectors: [resources.envDetector] }));
  const contextOf = (traceId: string, spanId: string) => ({ traceId, spanId, traceFlags: api.TraceFlags.SAMPLED });
  const add = ({ traceId, spanId, parentSpanId, name, startMs, endMs, attributes, error }: Span): void => {
    const span: ReadableSpan = {
      name,
      kind: api.SpanKind.INTERNAL,
      spanContext: () => contextOf(traceId, spanId),
      ...(parentSpanId === null ? {} : { parentSpanContext: contextOf(traceId, parentSpanId) }),
      startTime: hrTime(startMs),
      endTime: hrTime(endMs),
      duration: hrTime(endMs - startMs),
      status: error === null ? { code: api.SpanStatusCode.UNSET } : { code: api.SpanStatusCode.ERROR, message: error },
      attributes: { ...attributes },
      links: [],
      events: [],
      ended: true,
      resource,
      instrumentationScope: { name: 'skillflow', version },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
    processor.onEnd(span);
  };
  return { processor, add };
}

/**
 * Sends spans to an OTLP endpoint. The OpenTelemetry packages are loaded with the first span; where they are absent, or
 * the endpoint does not answer, that is logged once and nothing else changes.
 */
export function createOtlpSink(options: OtlpSinkOptions): SpanSink {
  const { runtime } = options;
  let opening: ReturnType<typeof open> | undefined;
  let isOff = false;
  const send = async (spans: readonly Span[]): Promise<void> => {
    opening ??= open(options);
    try {
      const { add } = await opening;
      for (const span of spans) add(span);
    } catch (error) {
      if (isOff) return;
      isOff = true;
      const hint = error instanceof UnavailableError ? ` ${error.hint}` : '';
      runtime.log('warn', `an OTLP endpoint is set, but no spans are exported: ${messageOf(error)}.${hint}`);
    }
  };
  return {
    add: (spans) => {
      if (!isOff) void send(spans);
    },
    [Symbol.asyncDispose]: async () => {
      const opened = await opening?.catch(() => undefined);
      // What could not be sent was told by the exporter.
      await opened?.processor.shutdown().catch(() => undefined);
    },
  };
}
