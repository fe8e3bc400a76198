// The driver's way to a primary by its sentinels, but for what it makes of what they tell.
import { SentinelConnector } from 'ioredis'
import { endpoint, RedisFault, reasonOf } from './reasons.ts'

interface Address {
  readonly host?: string
  readonly port?: number
}

/** For the driver's option `Connector`. */
export class Sentinels extends SentinelConnector {
  /** Where the sentinels sent us last. */
  private at: Address | null = null
  /** Why a sentinel could not be asked; the driver hides it. */
  private fault: unknown

  constructor(options: unknown) {
    // They are the client's own; the driver's type says unknown.
    super(Object(options))
    // The driver calls these by name, and declares them private: there is no other way in.
    const resolve = this['resolve'].bind(this)
    this['resolve'] = async (sentinel: Address) => {
      this.fault = undefined
      this.at = await resolve(sentinel).catch((error: unknown) => {
        throw this.explain(error, sentinel)
      })
      return this.at
    }
    const connect = this['connectToSentinel'].bind(this)
    this['connectToSentinel'] = (...args: unknown[]) => this.attend(connect(...args))
  }

  /**
   * Keeps a sentinel's faults from the console, and what is no news from whoever would connect again for it.
   */
  private attend<Client extends SentinelClient>(client: Client): Client {
    const emit = client.emit.bind(client)
    client.emit = (event, ...details) =>
      event === 'message' && this.isNoNews(String(details[1]))
        ? false
        : emit(event, ...details)
    client.on('error', error => {
      this.fault = error
    })
    // One that listens lives long: its next connection may need another password than its first.
    Object.defineProperty(client.options, 'password', {
      get: () => this.options.sentinelPassword,
      enumerable: true,
    })
    return client
  }

  private explain(error: unknown, sentinel: Address): RedisFault {
    const at = `the sentinel ${addressOf(sentinel)}`
    const reason = reasonOf(error, at) ?? reasonOf(this.fault, at)
    return new RedisFault(reason ?? `no answer from ${at}`)
  }

  /**
   * Whether we are where a failover went, or it is of another primary. The sentinel that leads a failover
   * tells of it a second after the others: who listens to all of them would be cut off again by it.
   *
   * @param text `NAME OLD-HOST OLD-PORT HOST PORT`
   */
  private isNoNews(text: string): boolean {
    const [name, , , host, port] = text.split(' ')
    return (
      name !== this.options.name ||
      (host === this.at?.host && port === String(this.at?.port))
    )
  }
}

function addressOf({ host, port }: Address): string {
  return endpoint(String(host), Number(port))
}

interface SentinelClient {
  readonly options: object
  emit(event: string | symbol, ...details: unknown[]): boolean
  on(event: 'error', listener: (error: unknown) => void): unknown
}
