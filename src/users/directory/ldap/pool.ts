// A bounded number of connections, each with one question at a time. Who finds none free waits.
import type { Monotonic } from '../../../base/clock.ts'
import type { LdapConnection } from './connection.ts'
import { LdapFault } from './server.ts'

/** The connections. */
export interface Pool {
  /** Lends one to `work`. Rejects as `work` does, and with LdapFault where `signal` aborts the wait. */
  use<Answer>(
    signal: AbortSignal,
    work: (connection: LdapConnection) => Promise<Answer>,
  ): Promise<Answer>
  close(): void
}

interface PoolOptions {
  readonly open: (signal: AbortSignal) => Promise<LdapConnection>
  /** How many there may be. */
  readonly size: number
  readonly monotonic: Monotonic
}

interface Idle {
  readonly connection: LdapConnection
  readonly since: number
}

/** An idle connection is used no more after so long: servers and firewalls forget them. */
const IDLE_MS = 60_000

/** Makes the pool. It connects when it is asked. */
export function createPool({ open, size, monotonic }: PoolOptions): Pool {
  let idle: Idle[] = []
  let lent = 0
  let isClosed = false
  const waiting = new Set<() => void>()
  const isFull = () => lent >= size

  function closeIdle(): void {
    for (const { connection } of idle) connection.close()
    idle = []
  }

  function takeIdle(): LdapConnection | undefined {
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) {
      const { connection, since } = last
      if (connection.isOpen() && monotonic() - since < IDLE_MS) return connection
      connection.close()
    }
    return undefined
  }

  async function turn(signal: AbortSignal): Promise<void> {
    while (isFull()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      waiting.delete(resolve)
      if (signal.aborted) throw new LdapFault('no connection was free in time')
    }
    // In the same step as the look: of those that were woken only as many as may.
    lent += 1
  }

  function giveBack(connection: LdapConnection): void {
    if (isClosed || !connection.isOpen()) connection.close()
    else idle.push({ connection, since: monotonic() })
  }

  async function lend<Answer>(
    signal: AbortSignal,
    work: (connection: LdapConnection) => Promise<Answer>,
  ): Promise<Answer> {
    const used = takeIdle()
    if (used !== undefined) {
      try {
        return await work(used)
      } catch (error) {
        // The server may have ended it while it was idle, which is no fault of the server.
        if (signal.aborted || !(error instanceof LdapFault)) throw error
      } finally {
        giveBack(used)
      }
    }
    const connection = await open(signal)
    return work(connection).finally(() => {
      giveBack(connection)
    })
  }

  return {
    async use(signal, work) {
      await turn(signal)
      return lend(signal, work).finally(() => {
        // One that is half open leads to the others: they would each be waited for.
        if (Object(signal.reason).name === 'TimeoutError') closeIdle()
        lent -= 1
        // All are woken: one alone may have given up in the same moment.
        for (const wake of waiting) wake()
      })
    },
    close() {
      isClosed = true
      closeIdle()
    },
  }
}
