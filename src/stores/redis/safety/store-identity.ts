// Whether the store is still the one that it was. A random id, written once, tells a Redis that came back
// empty: its silence about a family or a revocation is no verdict then. Everything is refused until the
// data is back, or an operator or a time limit says that what is gone is gone; meanwhile every server puts
// back the revocations that it knows of.
import { StoreUnavailable } from '../../ports/unavailable.ts'
import {
  answersOf,
  markOf,
  marksOf,
  newMark,
  strangeAmong,
  type Mark,
  type Marks,
} from './identity-marks.ts'
import { factsOf, primariesOf } from './inspect.ts'
import type { Caller } from '../connection/caller.ts'
import { RedisFault, unavailable } from '../connection/reasons.ts'
import type { RedisKeys } from '../redis-keys.ts'
import { loadScript } from '../scripts.ts'

/** How often in a row a doubt is looked into. */
const DOUBTS = 3
/**
 * For how long after the store's data came back what isn't there is no verdict: the question may have been
 * answered just before. Longer than an answer may be on its way.
 */
const SETTLE_MS = 1000

export interface EpochOptions {
  /** Calls through it are not refused by what is found here. */
  readonly link: Caller
  readonly keys: Pick<RedisKeys, 'epoch' | 'lost'>
  /** How long a store that lost its data is refused, at most; milliseconds. */
  readonly lossPeriodMs: number
  /** Puts back what this server knows. */
  readonly restore: () => Promise<unknown>
  /** Told whether the store is one that lost its data. */
  readonly found: (isLost: boolean) => void
}

export interface Epoch {
  /**
   * Looks whether the store is the one that it was, and what has become of it if it isn't. Told apart: a
   * server that was restarted with data of another time (revocations are put back), and one that lost its
   * data. Rejects when nobody can say.
   */
  verify(): Promise<void>
  /**
   * Asked when something isn't there that might be: rejects with StoreUnavailable where that is no verdict.
   */
  doubt(): Promise<void>
}

/** Makes the watch over the epoch. */
export function createEpoch({
  link,
  keys,
  lossPeriodMs,
  restore,
  found,
}: EpochOptions): Epoch {
  const names = marksOf(link.client, keys)
  const every = [...names.keys()]
  const mainName = keys.epoch(0)
  const setScript = loadScript(link, 'epoch-set')
  let mine: Mark | undefined
  let runIds: ReadonlySet<string> = new Set()
  let [lost, reported] = [false, false]
  // In a cluster: the marks that were lost and are not back; undefined: only another server knows them.
  let gone: readonly number[] | undefined = []
  /** When its data came back, by the monotonic clock. */
  let backAt = -Infinity
  // Whether what this server knows has still to be put back.
  let owed = false

  function report(isLost: boolean): void {
    if (isLost !== reported) found((reported = isLost))
  }

  const setAll = (indexes: readonly number[], text: string) =>
    Promise.all(
      indexes
        .filter(index => index > 0)
        .map(index => link.run(client => client.set(keys.epoch(index), text))),
    )
  const markLost = () =>
    link.run(client => client.set(keys.lost, 1, 'PX', lossPeriodMs, 'NX'))

  /** Keeps the mark, if nobody was faster; gives the one that is there now. */
  async function put(mark: Mark, seen: string): Promise<Mark> {
    const [text] = await setScript([mainName], [seen, mark.text])
    return markOf(String(text))
  }

  // A server that starts can't tell a store that lost its data from a new one.
  async function begin(main: string | null): Promise<void> {
    mine = main === null ? await put(newMark(''), '') : markOf(main)
    gone = undefined
    await setAll(every, mine.text)
  }

  async function change(before: Mark, marks: Marks): Promise<void> {
    const [main] = marks
    // Another server has found out, and told.
    if (typeof main === 'string' && markOf(main).before.includes(before.id)) {
      mine = markOf(main)
      gone = undefined
    } else await announce(before, marks)
  }

  async function announce(before: Mark, marks: Marks): Promise<void> {
    const seen = marks[0] ?? ''
    const mark = newMark(`${before.text} ${seen}`)
    report((lost = true))
    await markLost()
    mine = await put(mark, seen)
    const known = mine.id === mark.id ? gone : undefined
    gone = known && [...known, ...strangeAmong(marks, before)]
    await setAll(every, mine.text)
  }

  const read = (): Promise<Marks> =>
    answersOf(names.map(name => link.run(client => client.get(name))))

  /**
   * Whether all that is strange is from before the loss: the data is back. Nothing could be written since
   * then, as everything was refused, so it lacks no more than any back-up does.
   */
  const isBack = ({ before }: Mark, marks: Marks): boolean =>
    lost &&
    strangeAmong(marks, mine).every(index =>
      before.includes(markOf(marks[index] ?? '').id),
    )

  /** Puts our mark in the place of those that are back, and ends the doubt when none is missing any more. */
  async function takeBack(mark: Mark, marks: Marks): Promise<void> {
    const back = strangeAmong(marks, mark)
    // One server has one mark. Of a cluster's, only the server that found the loss knows which are missing.
    const missing = every.length === 1 ? [] : gone?.filter(index => !back.includes(index))
    if (missing === undefined) return
    gone = missing
    if (missing.length > 0) await markLost()
    mine = back.includes(0) ? await put(mark, String(marks[0])) : mark
    await setAll(back, mine.text)
    if (missing.length === 0) await link.run(client => client.del(keys.lost))
  }

  /** Takes over the marks that are there, or makes them. False when they are those of before. */
  async function adopt(marks: Marks): Promise<boolean> {
    if (mine !== undefined && strangeAmong(marks, mine).length === 0) return false
    const [main] = marks
    if (main === undefined) {
      throw unavailable(new RedisFault('the master that knows the epoch is away'), '')
    }
    if (mine === undefined) await begin(main)
    else if (isBack(mine, marks)) await takeBack(mine, marks)
    else await change(mine, marks)
    return true
  }

  const isLost = async () => (await link.run(client => client.exists(keys.lost))) === 1

  async function noticeRestart(): Promise<void> {
    const infos = await answersOf(
      primariesOf(link.client).map(node => link.run(() => node.info('server'))),
    )
    const ids = new Set(
      infos
        .filter(info => info !== undefined)
        .map(info => String(factsOf(info)['run_id'])),
    )
    owed ||= [...ids].some(id => !runIds.has(id))
    runIds = new Set([...runIds, ...ids])
  }

  async function look(): Promise<void> {
    // Asked at once: after a connection was lost everybody waits for this.
    const [marks, said] = await Promise.all([read(), isLost(), noticeRestart()])
    const isAnother = mine !== undefined
    const isNew = await adopt(marks)
    owed ||= isNew
    lost = isNew ? await isLost() : said
    if (lost) report(true)
    // Before anything is answered: what was revoked since the back-up must not live for a moment.
    if (owed) await restore()
    owed = false
    if (lost) return
    if (reported || (isNew && isAnother)) backAt = performance.now()
    gone = []
    report(false)
  }

  // Many may ask at once; one looks.
  let looking: Promise<void> | undefined
  function verify(): Promise<void> {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }

  return {
    verify,
    async doubt() {
      // Who joined a look that had begun before knows no more than before.
      const isMine = async () => strangeAmong(await read(), mine).length === 0
      for (let times = 0; times < DOUBTS && !(await isMine()); times++) await verify()
      if (lost) throw lossFault()
      if (performance.now() - backAt < SETTLE_MS) throw returnFault()
    },
  }
}

/** Why nothing is concluded of a store that has just come back. */
function returnFault(): StoreUnavailable {
  const message =
    'its data has just come back: what was missing a moment ago may be there'
  return new StoreUnavailable(new Error(message), message)
}

/** Why a store that lost its data is refused. */
export function lossFault(): StoreUnavailable {
  return new StoreUnavailable(
    new Error('the store has lost its data'),
    'it has lost its data: restore the back-up, or run `latchkey store accept` ' +
      '(docs/operations.md, Restore)',
  )
}
