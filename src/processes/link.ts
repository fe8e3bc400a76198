// The side of a server process: what the supervising process asks of it, one thing after the other, and how
// it asks for the metrics of all.
import type { Config } from '../config/schema.ts'
import type { MetricsFormat } from '../observe/metrics/open-metrics.ts'
import { messageOf, type FromServer, type ToServer } from './messages.ts'

/** The server, as it is told what to do. */
export interface Served {
  /** As Server.apply; throws when the configuration can't be taken. */
  apply(config: Config): void
  reopen(): void
  /** Its own metrics. */
  ownMetrics(format: MetricsFormat): Promise<string>
  /** Answers what is in flight, and ends the process. */
  stop(): void
}

/** What the link is made of. */
export interface LinkOptions {
  /** Resolves when it has been handed over. */
  readonly send: (message: FromServer) => Promise<void>
  /**
   * Starts the server. Rejects when it can't be started, which is told to the supervising process.
   *
   * @param allMetrics asks for the metrics of all processes
   */
  readonly start: (config: Config, allMetrics: Served['ownMetrics']) => Promise<Served>
  /** Ends a process that serves nothing. */
  readonly end: () => void
}

/** Makes the function that takes the messages of the supervising process. */
export function createLink({
  send,
  start,
  end,
}: LinkOptions): (message: ToServer) => void {
  const scrapes = new Map<number, (text: string) => void>()
  let ids = 0
  let served: Served | undefined
  let starting = Promise.resolve()

  function allMetrics(format: MetricsFormat): Promise<string> {
    ids += 1
    const id = ids
    send({ kind: 'scrape', id, format })
    return new Promise(resolve => {
      scrapes.set(id, resolve)
    })
  }

  async function startWith(config: Config): Promise<void> {
    try {
      served = await start(config, allMetrics)
      await send({ kind: 'ready' })
    } catch (error) {
      await send({ kind: 'failed', message: messageOf(error) })
      end()
    }
  }

  function apply(server: Served, config: Config): void {
    try {
      server.apply(config)
      send({ kind: 'applied' })
    } catch (error) {
      send({ kind: 'refused', message: messageOf(error) })
    }
  }

  // What comes while it starts waits until it has.
  const onceStarted = (act: (server: Served) => void) => {
    starting.then(() => {
      if (served !== undefined) act(served)
    })
  }

  async function measure(server: Served, id: number): Promise<void> {
    await send({ kind: 'metrics', id, text: await server.ownMetrics('openmetrics') })
  }

  return message => {
    switch (message.kind) {
      case 'start':
        starting = startWith(message.config)
        break
      case 'apply':
        onceStarted(server => apply(server, message.config))
        break
      case 'reopen':
        onceStarted(server => server.reopen())
        break
      case 'stop':
        if (served === undefined) end()
        else served.stop()
        break
      case 'measure':
        onceStarted(server => measure(server, message.id))
        break
      case 'measured':
        scrapes.get(message.id)?.(message.text)
        scrapes.delete(message.id)
        break
      case 'ping':
        send({ kind: 'pong' })
        break
    }
  }
}
