// Introspection and revocation beside the refreshes, from clients that go on whatever they are told.
import { setTimeout as wait } from 'node:timers/promises'
import type { Fleet, Repeating } from './load.ts'

const PAUSE_MS = 40

/** Introspects and revokes again and again; the same refresh token may be revoked as often as one likes. */
export function keepAsking(
  { introspect, revoke }: Fleet,
  tokens: readonly string[],
  doomed: () => string,
): Repeating {
  const stopped = new AbortController()
  const repeat = async (ask: () => Promise<unknown>) => {
    while (!stopped.signal.aborted) {
      await ask()
      await wait(PAUSE_MS)
    }
  }
  const running = [
    ...tokens.map(token => repeat(() => introspect(token))),
    repeat(() => revoke(doomed())),
  ]
  return {
    async stop() {
      stopped.abort()
      await Promise.all(running)
    },
  }
}
