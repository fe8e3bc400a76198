// Where the claims of names stand in Redis: in 64 hashes, so that none grows with the number of accounts
// without bound. Releases up to format 3 keep all of them in one hash; `upgrade` carries them over, name by
// name, while servers of this release go on.
import { hash } from 'node:crypto'
import type { StoreRisk } from '../../../ports/health.ts'
import { StoreUnavailable } from '../../../ports/unavailable.ts'
import type { Caller } from '../../connection/caller.ts'
import { isReply } from '../../connection/reasons.ts'
import type { RedisKeys } from '../../redis-keys.ts'
import type { FormatMark } from '../../safety/format.ts'
import { loadScript, type Script } from '../../scripts.ts'

/** Where claims stand. Promises reject with StoreUnavailable. */
export interface Names {
  /** Runs something on the hash that the claim of a name stands in, or would stand in. */
  at<T>(foldedName: string, work: (key: string) => Promise<T>): Promise<T>
  /** Runs something on all hashes; a claim that is being carried over may be in two of them. */
  everywhere<T>(work: (keys: readonly string[]) => Promise<T>): Promise<T>
  /** Looks again at where claims stand: a server at its start, and after a loss of data. */
  open(): Promise<void>
  /** Says that claims stand in the shards; for a store that has none. */
  begin(): Promise<void>
  /** Carries the claims of the one hash over; resolves to how many. Goes on where another one has stopped. */
  upgrade(): Promise<number>
  /** Whether all stand in the shards, as far as is known: no earlier release can use the store then. */
  areSharded(): boolean
  /** Says what to run while claims stand in the one hash. Writes nothing. */
  risks(): Promise<readonly StoreRisk[]>
}

export interface NamesOptions {
  readonly keys: RedisKeys
  /** Makes a script ready to run whose effect is to last. */
  readonly durably: (name: string) => Script
  readonly link: Caller
  /** Calls through it are not refused while data is missing. */
  readonly bare: Caller
  readonly format: Pick<FormatMark, 'read' | 'raise'>
}

/** All claims in the one hash; some still there, out of reach of earlier releases; all in the shards. */
type Layout = 'single' | 'leaving' | 'sharded'

/** The format from which a release knows the shards. */
const SHARDED_FORMAT = 4
/** Earlier releases meet it where their hash was: WRONGTYPE, which they answer 503. */
const MOVED = 'the names are in shards: this needs a Latchkey that knows format 4'
/** So many names are carried over at once. */
const STEP = 100

/** Ten million names are 20 MB in each. */
const SHARDS: readonly string[] = Array.from({ length: 64 }, (_, index) =>
  String(index).padStart(2, '0'),
)

/** The shard that the claim of a name stands in. */
export function nameShard(foldedName: string): string {
  const [byte = 0] = hash('sha256', foldedName, 'buffer')
  return String(SHARDS[byte % SHARDS.length])
}

/** Makes the access. */
export function createNames(options: NamesOptions): Names {
  const { keys } = options
  const leaving = createLeaving(options)
  const shards = SHARDS.map(keys.namesIn)
  let known: Layout | undefined

  async function look(): Promise<Layout> {
    const type = await options.bare.run(client => client.type(keys.names))
    if (type === 'string') return (await leaving.isDone()) ? 'sharded' : 'leaving'
    const { written, readableFrom } = await options.format.read()
    const isBegun = readableFrom >= SHARDED_FORMAT
    const isNew = type === 'none' && (written === 0 || known === 'sharded')
    if (!isNew && !(isBegun && ['none', 'hash'].includes(type))) return 'single'
    await leaving.begin()
    return type === 'none' ? 'sharded' : 'leaving'
  }

  /** Again where the one hash turns out to have gone. */
  async function unlessMoved<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (known !== 'single' || !isWrongType(error)) throw error
      known = await look()
      return work()
    }
  }

  return {
    at: (name, work) =>
      unlessMoved(async () => {
        const found = (known ??= await look())
        if (found === 'single') return work(keys.names)
        if (found === 'leaving' && (await leaving.carry(name))) known = 'sharded'
        return work(keys.namesIn(nameShard(name)))
      }),
    everywhere: work =>
      unlessMoved(async () => {
        const found = (known ??= await look())
        if (found === 'single') return work([keys.names])
        return work(found === 'leaving' ? [keys.leavingNames, ...shards] : shards)
      }),
    async open() {
      known = await look()
    },
    async begin() {
      await leaving.begin()
      known = 'sharded'
    },
    async upgrade() {
      await leaving.begin()
      const carried = await leaving.carryAll()
      known = 'sharded'
      return carried
    },
    areSharded: () => known === 'sharded',
    async risks() {
      const type = await options.bare.run(client => client.type(keys.names))
      if (type === 'hash') {
        return [oldForm('lie in one key, as earlier releases keep them')]
      }
      if (type === 'none' || (await leaving.isDone())) return []
      return [oldForm('are half-way to their new keys')]
    },
  }
}

function oldForm(where: string): StoreRisk {
  const advice =
    `the names of users in Redis ${where}: run \`latchkey store upgrade\` once every server is of this ` +
    'release; servers go on meanwhile'
  return { check: 'format', advice }
}

/** The claims that leave the one hash: it gets another name, and they go one by one. */
function createLeaving({ link, bare, keys, durably, format }: NamesOptions) {
  const beginScript = loadScript(bare, 'people/names-begin')
  const carryScript = durably('people/name-carry')

  /** Nobody writes there, so two that carry the same name do the same. */
  async function move(foldedName: string, claim: string): Promise<void> {
    await carryScript([keys.namesIn(nameShard(foldedName))], [foldedName, claim])
    await link.run(client => client.hdel(keys.leavingNames, foldedName))
  }

  const isDone = async () =>
    (await bare.run(client => client.exists(keys.leavingNames))) === 0

  return {
    isDone,
    /** From now on earlier releases are refused, at their start and at each look at a name. */
    async begin(): Promise<void> {
      await format.raise({ written: SHARDED_FORMAT, readableFrom: SHARDED_FORMAT })
      await beginScript([keys.names, keys.leavingNames], [MOVED])
    },
    /** Carries one; true: nobody's is left. One round trip where there is nothing to carry. */
    async carry(foldedName: string): Promise<boolean> {
      const [claim, isLeft] = await link.run(client =>
        Promise.all([
          client.hget(keys.leavingNames, foldedName),
          client.exists(keys.leavingNames),
        ]),
      )
      if (claim !== null) await move(foldedName, claim)
      return isLeft === 0
    },
    async carryAll(): Promise<number> {
      let [carried, cursor] = [0, '0']
      while (!(await isDone())) {
        const at = cursor
        const [next, pairs] = await link.run(client =>
          client.hscan(keys.leavingNames, at, 'COUNT', STEP),
        )
        cursor = next
        const claims = pairsIn(pairs)
        await Promise.all(claims.map(([name, claim]) => move(name, claim)))
        carried += claims.length
      }
      return carried
    },
  }
}

function isWrongType(error: unknown): boolean {
  return (
    error instanceof StoreUnavailable &&
    isReply(error.cause) &&
    String(error.cause).includes('WRONGTYPE')
  )
}

function pairsIn(flat: readonly string[]): Array<readonly [string, string]> {
  return flat.flatMap((name, index) =>
    index % 2 === 0 ? [[name, String(flat[index + 1])] as const] : [],
  )
}
