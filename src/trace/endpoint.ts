import type { Runtime } from '../runtime.ts';

const PATH = 'v1/traces';

/**
 * Where spans are to go, as OpenTelemetry's variables say; `null`: nowhere.
 * Source: opentelemetry.io/docs/specs/otel/protocol/exporter and /configuration/sdk-environment-variables.
 */
export function traceEndpoint(env: Runtime['env']): string | null {
  const valueOf = (name: string): string => env[name]?.trim() ?? '';
  if (valueOf('OTEL_SDK_DISABLED').toLowerCase() === 'true') return null;
  const exporters = valueOf('OTEL_TRACES_EXPORTER');
  if (exporters !== '' && !exporters.split(',').some((name) => name.trim() === 'otlp')) return null;
  const own = valueOf('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  if (own !== '') return own;
  const shared = valueOf('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (shared === '') return null;
  return shared.endsWith('/') ? `${shared}${PATH}` : `${shared}/${PATH}`;
}
