// A collector of traces: takes OTLP/HTTP in JSON and gives the spans as they came.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type Value = string | number

/** A span, its attributes as an object. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  /** OTLP: 1 internal, 2 server, 3 client. */
  readonly kind: number
  /** Nanoseconds. */
  readonly startedAt: bigint
  readonly endedAt: bigint
  readonly attributes: Readonly<Record<string, Value>>
  /** 2: failed. */
  readonly status: number
  readonly events: readonly unknown[]
}

export interface Collector {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT is to be. */
  readonly endpoint: string
  readonly spans: ReceivedSpan[]
  /** The resource of the latest export. */
  readonly resource: Record<string, Value>
  /** The paths that were asked for, the types that came, and each body. */
  readonly requests: Array<{
    readonly path: string | undefined
    readonly type: string | undefined
    readonly body: string
  }>
  /** How it answers; set it to see a collector that fails, or that never answers. */
  answer: 'takes' | 'refuses' | 'hangs'
  close(): void
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number }
}

const toObject = (attributes: readonly Attribute[] = []) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? Number(value.intValue),
    ]),
  )

function toSpan({
  traceId,
  spanId,
  parentSpanId,
  name,
  kind,
  startTimeUnixNano,
  endTimeUnixNano,
  attributes,
  status,
  events = [],
}: any): ReceivedSpan {
  return {
    traceId,
    spanId,
    parentSpanId: parentSpanId || undefined,
    name,
    kind,
    startedAt: BigInt(startTimeUnixNano),
    endedAt: BigInt(endTimeUnixNano),
    attributes: toObject(attributes),
    status: status.code,
    events,
  }
}

/** Starts one on a free port. */
export async function startCollector(): Promise<Collector> {
  const server = createServer((request, reply) => {
    let body = ''
    request
      .setEncoding('utf8')
      .on('data', chunk => {
        body += chunk
      })
      .on('end', () => {
        collector.requests.push({
          path: request.url,
          type: request.headers['content-type'],
          body,
        })
        // 400 is for good, so that the exporter doesn't send it again.
        if (collector.answer === 'refuses') reply.writeHead(400).end()
        if (collector.answer !== 'takes') return
        for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
          Object.assign(collector.resource, toObject(resource.attributes))
          collector.spans.push(
            ...scopeSpans.flatMap(({ spans }: any) => spans.map(toSpan)),
          )
        }
        reply.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const collector: Collector = {
    endpoint: `http://127.0.0.1:${port}`,
    spans: [],
    resource: {},
    requests: [],
    answer: 'takes',
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
  return collector
}
