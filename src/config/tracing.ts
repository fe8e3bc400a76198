// Whether and where traces go: OpenTelemetry's own variables, which a platform sets alike for all that it
// runs.
import { ConfigError, type Fault } from './faults.ts'

/**
 * Which requests are traced: those whose caller's trace is sampled and, of those without one, this share; or
 * this share of all.
 */
export interface TraceSampling {
  readonly followsCaller: boolean
  /** 0 to 1. */
  readonly share: number
}

/** Where traces go. */
export interface TraceSettings {
  /** The collector's URL for traces over OTLP/HTTP. */
  readonly url: string
  readonly sampling: TraceSampling
}

type Environment = Readonly<Record<string, string | undefined>>

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT'
const PROTOCOL = 'OTEL_EXPORTER_OTLP_PROTOCOL'
const SAMPLER = 'OTEL_TRACES_SAMPLER'
const SHARE = 'OTEL_TRACES_SAMPLER_ARG'

/**
 * The samplers that every SDK of OpenTelemetry knows by these names; undefined: the share is in
 * OTEL_TRACES_SAMPLER_ARG.
 */
const SAMPLERS = new Map<
  string,
  { readonly followsCaller: boolean; readonly share: number | undefined }
>([
  ['parentbased_always_on', { followsCaller: true, share: 1 }],
  ['parentbased_always_off', { followsCaller: true, share: 0 }],
  ['parentbased_traceidratio', { followsCaller: true, share: undefined }],
  ['always_on', { followsCaller: false, share: 1 }],
  ['always_off', { followsCaller: false, share: 0 }],
  ['traceidratio', { followsCaller: false, share: undefined }],
])
const METRICS = 'OTEL_METRICS_EXPORTER'
const LOGS = 'OTEL_LOGS_EXPORTER'
const INTERVAL = 'OTEL_METRIC_EXPORT_INTERVAL'
const DEFAULT_SAMPLER = 'parentbased_always_on'

/** Where metrics and log lines go over OTLP/HTTP; undefined: nowhere. */
export interface OtlpSettings {
  readonly metrics: { readonly url: string; readonly intervalMs: number } | undefined
  readonly logs: { readonly url: string } | undefined
}

/**
 * Reads where metrics and log lines go: only where `OTEL_METRICS_EXPORTER` or `OTEL_LOGS_EXPORTER` names
 * `otlp`, as both are there without it. Exporters that Latchkey doesn't have (`prometheus`, `console`) send
 * nothing: a platform sets them for others.
 *
 * @throws ConfigError with every fault, never with a value
 */
export function otlpSettings(env: Environment): OtlpSettings | undefined {
  const endpoint = endpointOf(env)
  if (endpoint === undefined) return undefined
  const [metrics, logs] = [METRICS, LOGS].map(name => namesOtlp(env[name]))
  if (!metrics && !logs) return undefined
  const intervalMs = Number(setIn(env, INTERVAL) ?? 60_000)
  const faults: Fault[] = []
  expect(faults, !metrics || intervalMs >= 1_000, {
    path: INTERVAL,
    expected: 'milliseconds, 1000 or more',
  })
  faults.push(...endpointFaults(endpoint, env))
  if (faults.length > 0) throw new ConfigError(faults)
  return {
    metrics: metrics ? { url: `${endpoint}/v1/metrics`, intervalMs } : undefined,
    logs: logs ? { url: `${endpoint}/v1/logs` } : undefined,
  }
}

/**
 * Reads them. What else the exporter understands (`OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT`, `_COMPRESSION`,
 * `_CERTIFICATE`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`) it reads itself.
 *
 * @returns undefined when OTEL_EXPORTER_OTLP_ENDPOINT is not set, OTEL_TRACES_EXPORTER is `none`, or
 * OTEL_SDK_DISABLED is `true`
 * @throws ConfigError with every fault, never with a value
 */
export function traceSettings(env: Environment): TraceSettings | undefined {
  const endpoint = endpointOf(env)
  if (endpoint === undefined || env['OTEL_TRACES_EXPORTER'] === 'none') return undefined
  const sampler = SAMPLERS.get(setIn(env, SAMPLER) ?? DEFAULT_SAMPLER)
  const share = sampler?.share ?? Number(setIn(env, SHARE) ?? 1)
  const faults = endpointFaults(endpoint, env)
  expect(faults, sampler !== undefined, {
    path: SAMPLER,
    expected: `one of ${[...SAMPLERS.keys()].join(', ')}`,
  })
  expect(faults, share >= 0 && share <= 1, {
    path: SHARE,
    expected: 'a number from 0 to 1',
  })
  if (sampler === undefined || faults.length > 0) throw new ConfigError(faults)
  return {
    url: `${endpoint}/v1/traces`,
    sampling: { followsCaller: sampler.followsCaller, share },
  }
}

/** A variable's value; what is empty counts as not set, as OpenTelemetry says. */
function setIn(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name]
}

/** Whether a list of exporters, by commas, has `otlp`. */
function namesOtlp(list = ''): boolean {
  return list.split(',').some(name => name.trim() === 'otlp')
}

/** The collector's URL without a slash at its end; undefined: nothing is sent. */
function endpointOf(env: Environment): string | undefined {
  const endpoint = env[ENDPOINT] ?? ''
  if (endpoint === '' || env['OTEL_SDK_DISABLED'] === 'true') return undefined
  return endpoint.replace(/\/$/, '')
}

function endpointFaults(endpoint: string, env: Environment): Fault[] {
  const faults: Fault[] = []
  expect(faults, /^https?:/.test(endpoint) && URL.canParse(endpoint), {
    path: ENDPOINT,
    expected: 'an http or https URL, such as http://collector:4318',
  })
  expect(faults, env[PROTOCOL] !== 'grpc', {
    path: PROTOCOL,
    expected: 'http/json or http/protobuf: traces go over HTTP, mostly to port 4318',
  })
  return faults
}

function expect(faults: Fault[], holds: boolean, fault: Fault): void {
  if (!holds) faults.push(fault)
}
