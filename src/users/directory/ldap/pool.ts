// A bounded number of connections, each with one question at a time. Who finds none free waits.
import type { Monotonic } from '../../../base/clock.ts'
import type { LdapConnection } from './connection.ts'
import { LdapBusy, LdapFault } from './server.ts'

/** The connections. */
export interface Pool {
  /** Lends one to `work`. Rejects as `work` does, and with LdapBusy where the wait takes too long. */
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
  readonly patience: Patience
  readonly monotonic: Monotonic
}

/** For how long the question of a signal may still wait for connections; milliseconds. */
export type Patience = (signal: AbortSignal) => number

interface Idle {
  readonly connection: LdapConnection
  readonly since: number
}

/** An idle connection is used no more after so long: servers and firewalls forget them. */
const IDLE_MS = 60_000

/**
 * Makes the patience of questions: `ms` from the first look, for all waits of one question. What is left of
 * its deadline is the server's, so that one that passes says something of the server, not of the queue.
 */
export function createPatience(ms: number, monotonic: Monotonic): Patience {
  const endsAt = new WeakMap<AbortSignal, number>()
  return signal => {
    const end = endsAt.get(signal) ?? monotonic() + ms
    endsAt.set(signal, end)
    return Math.max(0, end - monotonic())
  }
}

/** Makes the pool. It connects when it is asked. */
export function createPool({ open, size, patience, monotonic }: PoolOptions): Pool {
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
    const leftMs = Math.ceil(patience(signal))
    const end = isFull() ? AbortSignal.any([signal, AbortSignal.timeout(leftMs)]) : signal
    while (isFull()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      end.addEventListener('abort', () => resolve(), { once: true })
      await promise
      waiting.delete(resolve)
      if (end.aborted) throw new LdapBusy()
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
