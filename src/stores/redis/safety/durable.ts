// Writes that replicas must have before they are answered. WAIT counts what its own connection wrote, and
// blocks that connection: so these writes have a connection of their own. Those that come while one WAIT is
// pending share the next.
import type { ChainableCommander } from 'ioredis'
import type { Caller } from '../connection/caller.ts'
import { addressOf, RedisFault, unavailable } from '../connection/reasons.ts'
import { readLua, type Script } from '../scripts.ts'

/** How long replicas get. */
const WAIT_MS = 500
/** How long a call on such a connection may take: WAIT, and the way there and back. */
export const DURABLE_MS = WAIT_MS + 300

export interface DurableOptions {
  /** A connection that nobody else uses. */
  readonly link: Caller
  readonly replicas: number
}

interface Call {
  readonly lua: string
  readonly keys: readonly string[]
  readonly args: ReadonlyArray<string | number | Buffer>
  readonly resolve: (reply: readonly unknown[]) => void
  /** With StoreUnavailable. */
  readonly reject: (error: unknown) => void
}

type Results = ReadonlyArray<readonly [Error | null, unknown]>

/**
 * Gives scripts that resolve when so many replicas have what they wrote, and reject with StoreUnavailable
 * when too few have it in time; the primary may have it then, and repeating the call is harmless.
 */
export function createDurable(options: DurableOptions): (name: string) => Script {
  const { link } = options
  /** The calls that wait, by what may share a WAIT: in a cluster, the writes of one node; elsewhere, all. */
  const waiting = new Map<string, Call[]>()
  const busy = new Set<string>()
  const groupOf = (key: string | undefined) =>
    link.client.isCluster ? (/\{(.+?)\}/.exec(String(key))?.[1] ?? String(key)) : ''

  async function work(group: string): Promise<void> {
    if (busy.has(group)) return
    busy.add(group)
    for (
      let calls = waiting.get(group);
      calls !== undefined;
      calls = waiting.get(group)
    ) {
      waiting.delete(group)
      await commit(calls, options)
    }
    busy.delete(group)
  }

  return function durableScript(name) {
    const lua = readLua(name)
    return function runDurably(keys, args = []) {
      return new Promise((resolve, reject) => {
        const group = groupOf(keys[0])
        const calls = waiting.get(group) ?? []
        waiting.set(group, [
          ...calls,
          {
            lua,
            keys,
            args,
            resolve,
            reject,
          },
        ])
        work(group)
      })
    }
  }
}

/** Runs the calls and one WAIT for all of them. Rejects with StoreUnavailable when none can be answered. */
async function send(
  calls: readonly Call[],
  { link, replicas }: DurableOptions,
): Promise<Results> {
  return link.run(async client => {
    const pipeline: ChainableCommander = client.pipeline()
    for (const { lua, keys, args } of calls) {
      pipeline.eval(lua, keys.length, ...keys, ...args)
    }
    /* c8 ignore next -- null is for transactions alone */
    const results = (await pipeline.wait(replicas, WAIT_MS).exec()) ?? []
    const fault = results.at(-1)?.[0]
    if (fault) throw fault
    return results
  })
}

/** Sends the calls and answers each of them. */
async function commit(calls: readonly Call[], options: DurableOptions): Promise<void> {
  try {
    const results = await send(calls, options)
    const at = addressOf(options.link.client)
    const shortage = shortageOf(Number(results.at(-1)?.[1]), options.replicas, at)
    for (const [index, call] of calls.entries()) {
      const fault = results[index]?.[0] ?? shortage
      const reply = results[index]?.[1]
      if (fault === null) call.resolve(Array.isArray(reply) ? reply : [reply])
      else call.reject(unavailable(fault, at))
    }
  } catch (error) {
    for (const { reject } of calls) reject(error)
  }
}

/** The fault of a primary whose replicas didn't get the write; null when enough of them did. */
function shortageOf(have: number, replicas: number, at: string): RedisFault | null {
  if (have >= replicas) return null
  return new RedisFault(
    `${have} of ${replicas} replicas of ${at} have the write after ${WAIT_MS} ms (store.replicas)`,
  )
}
