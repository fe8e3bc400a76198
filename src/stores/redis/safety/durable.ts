// Writes that replicas must have before they are answered. WAIT counts what its own connection wrote, and
// blocks that connection: so these writes have a connection of their own. Those that come while one WAIT is
// pending share the next.
import type { ChainableCommander } from 'ioredis'
import type { Caller } from '../connection/caller.ts'
import { DEADLINE_MS } from '../connection/link.ts'
import { addressOf, RedisFault, unavailable } from '../connection/reasons.ts'
import { readLua, type Script } from '../scripts.ts'

/** How long replicas get where the settings say nothing. */
const REPLICAS_MS = 500

/** How long a call on such a connection may take: what replicas get, and what any other call may take. */
export function durableDeadline({
  replicasMs = REPLICAS_MS,
  deadlineMs = DEADLINE_MS,
}: {
  readonly replicasMs?: number | undefined
  readonly deadlineMs?: number | undefined
}): number {
  return replicasMs + deadlineMs
}

export interface DurableOptions {
  /** A connection that nobody else uses. */
  readonly link: Caller
  readonly replicas: number
  /** How long they get, in milliseconds; default 500. */
  readonly replicasMs?: number | undefined
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
  { link, replicas, replicasMs = REPLICAS_MS }: DurableOptions,
): Promise<Results> {
  return link.run(async client => {
    const pipeline: ChainableCommander = client.pipeline()
    for (const { lua, keys, args } of calls) {
      pipeline.eval(lua, keys.length, ...keys, ...args)
    }
    /* c8 ignore next -- null is for transactions alone */
    const results = (await pipeline.wait(replicas, replicasMs).exec()) ?? []
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
    const shortage = shortageOf(Number(results.at(-1)?.[1]), options)
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
function shortageOf(
  have: number,
  { link, replicas, replicasMs = REPLICAS_MS }: DurableOptions,
): RedisFault | null {
  if (have >= replicas) return null
  const at = addressOf(link.client)
  return new RedisFault(
    `${have} of ${replicas} replicas of ${at} have the write after ${replicasMs} ms (store.replicas)`,
  )
}
