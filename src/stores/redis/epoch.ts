// Whether the store is still the one that it was. A random id, written once, tells a Redis that came back
// empty: its silence about a family or a revocation is no verdict then. Everything is refused until an
// operator, or a time limit, says that what is gone is gone; meanwhile every server puts back the revocations
// that it knows of.
import { randomBytes } from 'node:crypto'
import { Cluster, type Redis } from 'ioredis'
import { StoreUnavailable } from '../ports.ts'
import { factsOf, primariesOf } from './inspect.ts'
import type { Caller } from './link.ts'
import { RedisFault, unavailable } from './reasons.ts'
import type { RedisKeys } from './redis-keys.ts'
import { loadScript } from './scripts.ts'

/** In a cluster each master may lose its data alone: with so many marks each has some. */
const CLUSTER_MARKS = 64
/** How often in a row a doubt is looked into. */
const DOUBTS = 3

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

/** An epoch as it is kept: its id, and the ids of those before it, the newest first. */
interface Mark {
  readonly id: string
  readonly text: string
}

/** The marks that are there; `main` undefined: its node is away. */
interface Marks {
  readonly isMine: boolean
  readonly main: string | null | undefined
}

const FIRST = '-'
/** So many marks may come within the second in which a server doesn't look. */
const REMEMBERED = 8

/** Makes the watch over the epoch. */
export function createEpoch({
  link,
  keys,
  lossPeriodMs,
  restore,
  found,
}: EpochOptions): Epoch {
  const names = marksOf(link.client, keys)
  const mainName = keys.epoch(0)
  const setScript = loadScript(link, 'epoch-set')
  let mine: Mark | undefined
  let runIds: ReadonlySet<string> = new Set()
  let lost = false
  // Whether what this server knows has still to be put back.
  let owed = false

  const setAll = (text: string) =>
    Promise.all(names.slice(1).map(name => link.run(client => client.set(name, text))))

  /** Keeps the mark, if nobody was faster; gives the one that is there now. */
  async function put(mark: Mark, seen: string): Promise<Mark> {
    const [text] = await setScript([mainName], [seen, mark.text])
    return markOf(String(text))
  }

  // A server that starts can't tell a store that lost its data from a new one.
  async function begin(main: string | null): Promise<void> {
    mine = main === null ? await put(newMark(''), '') : markOf(main)
    await setAll(mine.text)
  }

  async function change(before: Mark, main: string | null): Promise<void> {
    // Another server has found out, and told.
    if (main === null || !main.split(' ').slice(1).includes(before.id)) {
      await announce(before, main ?? '')
    } else mine = markOf(main)
  }

  async function announce(before: Mark, seen: string): Promise<void> {
    found((lost = true))
    await link.run(client => client.set(keys.lost, 1, 'PX', lossPeriodMs, 'NX'))
    mine = await put(newMark(`${before.text} ${seen}`), seen)
    await setAll(mine.text)
  }

  /** The marks that are there. `isMine`: all of them are those that were left. */
  async function read(): Promise<Marks> {
    const texts = await answersOf(names.map(name => link.run(client => client.get(name))))
    return {
      isMine:
        mine !== undefined &&
        texts.every(text => text === undefined || text === mine?.text),
      main: texts[0],
    }
  }

  /** Takes over the marks that are there, or makes them. False when they are those of before. */
  async function adopt({ isMine, main }: Marks): Promise<boolean> {
    if (isMine) return false
    if (main === undefined) {
      throw unavailable(new RedisFault('the master that knows the epoch is away'), '')
    }
    if (mine === undefined) await begin(main)
    else await change(mine, main)
    return true
  }

  const isLost = async () => (await link.run(client => client.exists(keys.lost))) === 1

  async function noticeRestart(): Promise<void> {
    const infos = await answersOf(
      primariesOf(link.client).map(node => link.run(() => node.info('server'))),
    )
    const ids = new Set(
      infos.flatMap(info =>
        info === undefined ? [] : [String(factsOf(info)['run_id'])],
      ),
    )
    owed ||= [...ids].some(id => !runIds.has(id))
    runIds = new Set([...runIds, ...ids])
  }

  async function look(): Promise<void> {
    // Asked at once: after a connection was lost everybody waits for this.
    const [marks, said] = await Promise.all([read(), isLost(), noticeRestart()])
    const isNew = await adopt(marks)
    owed ||= isNew
    const wasLost = lost
    lost = isNew ? await isLost() : said
    if (lost !== wasLost) found(lost)
    if (owed) await restore()
    owed = false
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
      for (let times = 0; times < DOUBTS && !(await read()).isMine; times++) {
        await verify()
      }
      if (lost) throw lossFault()
    },
  }
}

/** The names of all marks. */
export function marksOf(
  client: Redis | Cluster,
  keys: Pick<RedisKeys, 'epoch'>,
): string[] {
  return Array.from(
    { length: client instanceof Cluster ? CLUSTER_MARKS : 1 },
    (_, index) => keys.epoch(index),
  )
}

/** Why a store that lost its data is refused. */
export function lossFault(): StoreUnavailable {
  return new StoreUnavailable(
    new Error('the store has lost its data'),
    'it has lost its data: restore the back-up, or run `latchkey store accept` ' +
      '(docs/operations.md, Restore)',
  )
}

/** A new id, and those of the marks before it: a server may not have seen each of them. */
function newMark(before: string): Mark {
  const id = randomBytes(12).toString('base64url')
  const ids = new Set(before.split(' ').filter(old => old !== '' && old !== FIRST))
  const text = [id, ...(ids.size > 0 ? [...ids].slice(0, REMEMBERED) : [FIRST])].join(' ')
  return { id, text }
}

/** The mark that servers take for one after this one, which nobody has lost. */
export function markAfter(text: string): string {
  return newMark(text).text
}

function markOf(text: string): Mark {
  return { id: text.replace(/ .*/, ''), text }
}

/**
 * What was answered, undefined where nothing was: one of many nodes may be away. Rejects when there is no
 * answer at all.
 */
async function answersOf<T>(
  asked: ReadonlyArray<Promise<T>>,
): Promise<ReadonlyArray<T | undefined>> {
  const settled = await Promise.allSettled(asked)
  if (settled.every(({ status }) => status === 'rejected')) await asked[0]
  return settled.map(answer => (answer.status === 'fulfilled' ? answer.value : undefined))
}
