// The requests of each address, counted for all replicas: one script for all that are counted at once.
import type { AddressCounts } from '../ports/address-counts.ts'
import type { RedisAdapter } from './adapter.ts'
import { loadScript } from './scripts.ts'

export function createRedisAddressCounts({ link, keys }: RedisAdapter): AddressCounts {
  const script = loadScript(link, 'count')
  return {
    async add(requests) {
      const reply = await script(
        requests.map(({ address }) => keys.rate(address)),
        requests.flatMap(({ requests, windowMs }) => [requests, windowMs]),
      )
      return requests.map((_, place) => ({
        count: Number(reply[2 * place]),
        endsInMs: Number(reply[2 * place + 1]),
      }))
    },
  }
}
