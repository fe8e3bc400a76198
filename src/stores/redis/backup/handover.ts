// Taking the store from the servers before a restore, and giving it back after it.
import { setTimeout as wait } from 'node:timers/promises'
import { markAfter } from '../safety/identity-marks.ts'
import type { Caller } from '../connection/caller.ts'
import type { RedisKeys } from '../redis-keys.ts'
import { again, scan, type Ask } from './walk.ts'

/** A restore that was given up keeps servers from taking a half of it for the whole. */
const LOST_MS = 3_600_000
/**
 * A server that has just missed the store's identity reports the loss a moment later, on a busy machine after
 * more than a second: so often, and so far apart, its report is taken back.
 */
const NOTICES = 8
const NOTICE_MS = 250

export interface HandoverOptions {
  /** Calls through it are not refused while the store's data is missing. */
  readonly link: Caller
  readonly keys: RedisKeys
  /** The names of all marks of the store's identity. */
  readonly marks: readonly string[]
}

/** What a restore begins and ends with. */
export function createHandover({ link, keys, marks }: HandoverOptions) {
  const [main = ''] = marks
  const ask: Ask = work => again(() => link.run(work))

  /** Servers answer 503 from now on: they miss the store's identity. Gives what it was. */
  async function withdraw(): Promise<string | null> {
    const before = await ask(client => client.get(main))
    await ask(client => client.set(keys.lost, 1, 'PX', LOST_MS))
    for (const mark of marks) await ask(client => client.del(mark))
    for await (const names of scan(link, keys.every)) {
      const gone = names.filter(name => name !== keys.lost && !marks.includes(name))
      await Promise.all(gone.map(name => ask(client => client.unlink(name))))
    }
    return before
  }

  /**
   * Servers go on. Those that run have to put back what they know of, so the identity that they knew gets a
   * successor; where nobody knew one it is that of the back-up.
   */
  async function admit(before: string | null, mark: string | undefined): Promise<void> {
    const announced = await ask(client => client.get(main))
    const text = announced ?? (before === null ? mark : markAfter(before))
    if (text !== undefined) {
      await Promise.all(marks.map(name => ask(client => client.set(name, text))))
    }
    await ask(client => client.del(keys.lost))
    for (let times = 0; times < NOTICES; times++) {
      await wait(NOTICE_MS)
      await ask(client => client.del(keys.lost))
    }
  }

  return { withdraw, admit }
}
