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
const DEFAULT_SAMPLER = 'parentbased_always_on'

/**
 * Reads them. What else the exporter understands (`OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT`, `_COMPRESSION`,
 * `_CERTIFICATE`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`) it reads itself.
 *
 * @returns undefined when OTEL_EXPORTER_OTLP_ENDPOINT is not set, or OTEL_SDK_DISABLED is `true`
 * @throws ConfigError with every fault, never with a value
 */
export function traceSettings(env: Environment): TraceSettings | undefined {
  const endpoint = env[ENDPOINT] ?? ''
  if (endpoint === '' || env['OTEL_SDK_DISABLED'] === 'true') return undefined
  const sampler = SAMPLERS.get(env[SAMPLER] ?? DEFAULT_SAMPLER)
  const share = sampler?.share ?? Number(env[SHARE] ?? 1)
  const faults: Fault[] = []
  const expect = (holds: boolean, path: string, expected: string) => {
    if (!holds) faults.push({ path, expected })
  }
  expect(
    /^https?:/.test(endpoint) && URL.canParse(endpoint),
    ENDPOINT,
    'an http or https URL, such as http://collector:4318',
  )
  expect(
    env[PROTOCOL] !== 'grpc',
    PROTOCOL,
    'http/json or http/protobuf: traces go over HTTP, mostly to port 4318',
  )
  expect(sampler !== undefined, SAMPLER, `one of ${[...SAMPLERS.keys()].join(', ')}`)
  expect(share >= 0 && share <= 1, SHARE, 'a number from 0 to 1')
  if (sampler === undefined || faults.length > 0) throw new ConfigError(faults)
  return {
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    sampling: { followsCaller: sampler.followsCaller, share },
  }
}
