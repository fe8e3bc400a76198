// The Lua scripts: one file per atomic step, sent once and then called by their hash, in one round trip.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Link } from './link.ts'

/** Runs a script; the reply is a list, also where it is one value. Rejects with StoreUnavailable. */
export type Script = (keys: readonly string[], args?: ReadonlyArray<string | number>) => Promise<readonly unknown[]>

/** What several scripts share: the record's form, the time, what makes a family dead. */
const SHARED = readScript('shared')

/** Makes `scripts/NAME.lua` ready to run. */
export function loadScript (link: Link, name: string): Script {
  return createScript(link, `${SHARED}\n${readScript(name)}`)
}

/** Makes a script ready to run: sent once, then called by its hash. */
export function createScript (link: Link, lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex')
  return async (keys, args = []) => {
    const reply = await link.run<unknown>(
      client => client.evalsha(sha, keys.length, ...keys, ...args),
      // The server was restarted, or has never seen it. Nothing was executed.
      error => String(error).includes('NOSCRIPT') ? link.client.eval(lua, keys.length, ...keys, ...args) : undefined
    )
    return Array.isArray(reply) ? reply : [reply]
  }
}

function readScript (name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}
