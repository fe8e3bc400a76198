// Setting the status bits of tokens that died. They live in another hash slot than the family, so this is a
// step of its own, after the one that ended it.
import { byList, listGoneAt, type StatusEntry } from '../../ports/status-lists.ts'
import type { Caller } from '../connection/caller.ts'
import type { RedisKeys } from '../redis-keys.ts'
import type { Revocations } from '../safety/revocations.ts'
import { loadScript, type Script } from '../scripts.ts'

export interface StatusBitsOptions {
  /** For what is done about a store that is refused. */
  readonly bare: Caller
  readonly keys: Pick<RedisKeys, 'status'>
  readonly time: () => string
  readonly durably: (name: string) => Script
  readonly revocations: Revocations
  /**
   * How long to wait before the next try, in milliseconds, and how many there are; default: a second, for a
   * day.
   */
  readonly retryMs?: number
  readonly tries?: number
}

export interface StatusBits {
  /** As StatusLists.revoke. */
  set(revoked: ReadonlyMap<string, readonly number[]>): Promise<void>
  /** The same for the tokens that a script told. */
  setAll(tokens: unknown): Promise<void>
  /** The same where nobody repeats the call: is tried until it works, for a day at most. */
  setEventually(tokens: unknown): void
  /** Ends all tries. */
  stop(): void
}

export function createStatusBits({
  bare,
  keys,
  time,
  durably,
  revocations,
  retryMs = 1_000,
  tries = 86_400,
}: StatusBitsOptions): StatusBits {
  const script = durably('status-lists/revoke')
  const againScript = loadScript(bare, 'status-lists/revoke')
  const retries = new Set<NodeJS.Timeout>()
  let stopped = false

  function run(
    runScript: Script,
    lists: ReadonlyArray<readonly [string, readonly number[]]>,
  ): Promise<unknown> {
    const args = lists.flatMap(([list, indices]) => [
      list,
      listGoneAt(list),
      indices.join(','),
    ])
    return runScript(
      [
        keys.status.lists,
        ...lists.flatMap(([list]) => [keys.status.bits(list), keys.status.log(list)]),
      ],
      [time(), ...args],
    )
  }

  async function set(revoked: ReadonlyMap<string, readonly number[]>): Promise<void> {
    const lists = [...revoked]
    if (lists.length === 0) return
    await run(script, lists)
    for (const [list, indices] of lists) {
      revocations.remember(`${list} ${indices.join()}`, () =>
        run(againScript, [[list, indices]]),
      )
    }
  }

  function keepTrying(
    revoked: ReadonlyMap<string, readonly number[]>,
    left: number,
  ): void {
    set(revoked).catch(() => {
      if (stopped || left === 0) return
      const timer = setTimeout(() => {
        retries.delete(timer)
        keepTrying(revoked, left - 1)
      }, retryMs).unref()
      retries.add(timer)
    })
  }

  return {
    set,
    setAll: tokens => set(byList(entriesOf(tokens))),
    setEventually: tokens => keepTrying(byList(entriesOf(tokens)), tries),
    stop() {
      stopped = true
      for (const timer of retries) clearTimeout(timer)
    },
  }
}

/** How a token is noted: `note_token` of shared.lua. */
export function tokenText(sid: string, { list, idx }: StatusEntry): string {
  return `${sid} ${list} ${idx}`
}

function entriesOf(tokens: unknown): StatusEntry[] {
  if (typeof tokens !== 'string' || tokens === '') return []
  return tokens.split('\n').map(token => {
    const [, list = '', idx] = token.split(' ')
    return { list, idx: Number(idx) }
  })
}
