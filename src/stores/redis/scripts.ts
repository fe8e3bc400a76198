// The Lua scripts: one file per atomic step, sent once and then called by their hash, in one round trip.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Cluster, Redis } from 'ioredis'
import { StoreUnavailable } from '../ports.ts'

/** Runs a script; the reply is a list, also where it is one value. Rejects with StoreUnavailable. */
export type Script = (keys: readonly string[], args?: ReadonlyArray<string | number>) => Promise<readonly unknown[]>

/** What several scripts share: the record's form, the time, what makes a family dead. */
const SHARED = readScript('shared')

/** Loads `scripts/NAME.lua`. */
export function loadScript (client: Redis | Cluster, name: string): Script {
  const lua = `${SHARED}\n${readScript(name)}`
  const sha = createHash('sha1').update(lua).digest('hex')
  return (keys, args = []) => reaching(async () => {
    const rest = [...keys, ...args]
    const reply = await client.evalsha(sha, keys.length, ...rest).catch(error => {
      // The server was restarted, or has never seen it. Nothing was executed.
      if (!String(error).includes('NOSCRIPT')) throw error
      return client.eval(lua, keys.length, ...rest)
    })
    return Array.isArray(reply) ? reply : [reply]
  })
}

/** Runs something against Redis; any error is StoreUnavailable. */
export async function reaching<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new StoreUnavailable(error)
  }
}

function readScript (name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}
