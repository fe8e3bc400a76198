// The requests of each address, counted for all replicas: one script for all requests that arrive in one turn of the event loop.
import { setImmediate as endOfTurn } from 'node:timers/promises'
import type { AddressCount, AddressCounts } from '../ports-addresses.ts'
import type { RedisAdapter } from './adapter.ts'
import { loadScript } from './scripts.ts'

/** What one turn counts. */
interface Turn {
  readonly asked: Map<string, Asked>
  /** Counts and windows' ends as the script gives them, two per address, in the order of `asked`. */
  readonly reply: Promise<readonly unknown[]>
}

interface Asked {
  readonly place: number
  readonly windowMs: number
  requests: number
}

export function createRedisAddressCounts ({ link, keys }: RedisAdapter): AddressCounts {
  const script = loadScript(link, 'count')
  let turn: Turn | undefined

  function begin (): Turn {
    const asked: Turn['asked'] = new Map()
    return { asked, reply: endOfTurn().then(() => send(asked)) }
  }

  function send (asked: Turn['asked']): Promise<readonly unknown[]> {
    turn = undefined
    return script([...asked.keys()].map(keys.rate), [...asked.values()].flatMap(({ requests, windowMs }) => [requests, windowMs]))
  }

  return {
    async hit (address, windowMs): Promise<AddressCount> {
      const { asked, reply } = turn ??= begin()
      const entry = asked.get(address) ?? { place: asked.size, windowMs, requests: 0 }
      asked.set(address, entry)
      const mine = ++entry.requests
      const counts = await reply
      // The script counted all of this turn at once; each has its own place among them.
      return { count: Number(counts[2 * entry.place]) - entry.requests + mine, endsInMs: Number(counts[2 * entry.place + 1]) }
    },
  }
}
