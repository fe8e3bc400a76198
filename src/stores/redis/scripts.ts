// The Lua scripts: one file per atomic step, sent once and then called by their hash, in one round trip.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Caller } from './connection/caller.ts'
import { RECORD_LUA } from './people/account-record.ts'

/** Runs a script; the reply is a list, also where it is one value. Rejects with StoreUnavailable. */
export type Script = (
  keys: readonly string[],
  args?: ReadonlyArray<string | number | Buffer>,
) => Promise<readonly unknown[]>

/** What several scripts share: the record's form, the time, what makes a family dead. */
const SHARED = readScript('shared')

/** Makes `scripts/NAME.lua` ready to run. */
export function loadScript(link: Caller, name: string): Script {
  return createScript(link, readLua(name))
}

/** The text of `scripts/NAME.lua`, with what it shares. */
export function readLua(name: string): string {
  return `${RECORD_LUA}\n${SHARED}\n${readScript(name)}`
}

function createScript(link: Caller, lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex')
  return async (keys, args = []) => {
    const reply = await link.run<unknown>(
      client => client.evalsha(sha, keys.length, ...keys, ...args),
      // The server was restarted, or has never seen it. Nothing was executed.
      error =>
        String(error).includes('NOSCRIPT')
          ? link.client.eval(lua, keys.length, ...keys, ...args)
          : undefined,
    )
    return Array.isArray(reply) ? reply : [reply]
  }
}

function readScript(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}
