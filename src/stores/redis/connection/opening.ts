// How a connection to Redis is opened: AUTH, HELLO, SELECT, READONLY, INFO. The driver goes on where some of
// these fail, in database 0 for instance, where nothing is that was ever stored; here every one that fails
// ends the connection, at the start and at each reconnect. And it keeps the reason, which the driver's
// "Connection is closed." hides.
import { Cluster, type Redis } from 'ioredis'
import { addressOf, isReply, reasonOf } from './reasons.ts'

type Sent = Parameters<Redis['sendCommand']>[0]

/** What the driver sends before a connection is ready. */
const OPENING = new Set(['auth', 'hello', 'select', 'client', 'readonly', 'info'])

/** The last reason why there is no connection. */
export interface LastReason {
  /** Takes a newer one. */
  hear(reason: string): void
  /** Undefined while the connection is good, or where nobody said anything. */
  reason(): string | undefined
  /** The connection is good. */
  clear(): void
}

/** Makes an empty one. */
export function createLastReason(): LastReason {
  let last: string | undefined
  return {
    hear(reason) {
      last = reason
    },
    reason: () => last,
    clear() {
      last = undefined
    },
  }
}

/**
 * Ends each connection of the client whose opening fails, and reports why. To be called before it connects.
 */
export function watchOpening(client: Redis | Cluster, last: LastReason): void {
  // The driver's own words for it begin with who was asked; sentinels.ts has put the reason behind them.
  client.on('sentinelError', (error: Error) => {
    last.hear(error.message.replace(/^.*? because /s, ''))
  })
  if (client instanceof Cluster) {
    client.on('+node', (node: Redis) => watchNode(node, last))
    client.on('node error', (error: unknown, key: string) => {
      const reason = reasonOf(error, key)
      if (reason !== undefined) last.hear(reason)
    })
  } else watchNode(client, last)
}

function watchNode(node: Redis, last: LastReason): void {
  // What follows a fault, such as the end of the connection, is no news.
  let [isOpening, isExplained] = [false, false]
  const fail = (reason: string | undefined) => {
    if (isExplained || reason === undefined) return
    isExplained = true
    last.hear(reason)
  }
  node.on('connecting', () => {
    isOpening = isExplained = false
  })
  node.on('connect', () => {
    isOpening = true
  })
  node.on('ready', () => {
    isOpening = false
  })
  node.on('error', (error: unknown) => fail(reasonFor(node, error)))
  node.on('close', () => {
    if (isOpening) {
      fail(
        `${addressOf(node)} closed the connection unasked (a TLS port wants rediss://)`,
      )
    }
  })
  // In a cluster a copy of the connection asks who has which slots.
  const duplicate = node.duplicate.bind(node)
  node.duplicate = override => {
    const copy = duplicate(override)
    watchNode(copy, last)
    return copy
  }

  const send = node.sendCommand.bind(node)
  node.sendCommand = (command, stream) => {
    if (node.status === 'connect' && OPENING.has(command.name)) {
      attend(command, error => {
        fail(openingReason(command, error, addressOf(node)))
        node.disconnect(true)
        // What is on its way already must not find the connection open.
        node.stream.destroy()
      })
    }
    return send(command, stream)
  }
}

function reasonFor(node: Redis, error: unknown): string | undefined {
  const reason = reasonOf(error, addressOf(node))
  // A server without TLS waits for the rest of what it takes for a command.
  return node.options.tls && reason?.startsWith('ETIMEDOUT')
    ? reason.replace('(', '(is there TLS at this port? Or ')
    : reason
}

/** Hears of the command's failure before the driver does, which makes a warning on the console of some. */
function attend(command: Sent, failed: (error: Error) => void): void {
  const { reject } = command
  command.reject = error => {
    if (!isReply(error) || isNegotiation(error)) {
      reject(error)
      return
    }
    failed(error)
    reject(new Error('the connection could not be opened'))
  }
}

/** A server that knows RESP2 only: the driver goes on with that. */
function isNegotiation({ message }: Error): boolean {
  return /NOPROTO|unknown command.*hello/i.test(message)
}

function openingReason(
  { name, args }: Sent,
  error: Error,
  at: string,
): string | undefined {
  const reason = reasonOf(error, at)
  if (name !== 'select') return reason
  return reason
    ?.replace('(', `(store.url: database ${String(args[0])}: `)
    .replace('DB ', '')
}
