// Whether the accounts have been moved from the store of the sessions to PostgreSQL. Until then the store has
// them, as without PostgreSQL; from one instant on, the same for all servers, PostgreSQL has.
import type { Connections, Run } from '../database/connections.ts'

/** Two ways to do the same: in the store that has had the accounts, and in PostgreSQL. */
export interface Ways<Result> {
  readonly there: () => Promise<Result>
  readonly here: () => Promise<Result>
}

/** Decides between both. */
export interface Gate {
  /** What is read in the store counts if the accounts were still there after it was read. */
  reading<Result>(ways: Ways<Result>): Promise<Result>
  /**
   * What is written in the store is written while nobody declares the accounts moved, and is noted before:
   * the move copies these accounts again.
   */
  writing<Result>(tags: readonly string[], ways: Ways<Result>): Promise<Result>
  /** Whether they have been moved. */
  isMoved(): Promise<boolean>
  /** The same as a part of a transaction. */
  isMovedIn(run: Run): Promise<boolean>
}

/** Whoever moves accounts holds it alone, and whoever writes them in the store with others. */
export const MOVING = 'latchkey moving'

const NOTE = `INSERT INTO latchkey.touched (tag) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`
const SHARE = `SELECT pg_advisory_xact_lock_shared(hashtextextended('${MOVING}', 0))`

async function areNoted(run: Run, tags: readonly string[]): Promise<boolean> {
  const text = 'SELECT count(*) AS noted FROM latchkey.touched WHERE tag = ANY($1)'
  const [row] = await run({ text, values: [tags] })
  return Number(row?.['noted']) === new Set(tags).size
}

/** Makes the gate; what has been moved once stays so. */
export function createGate({ ask, within }: Connections): Gate {
  let wasMoved = false

  async function look(run: Run): Promise<boolean> {
    if (!wasMoved) {
      const [format] = await run({ text: 'SELECT moved FROM latchkey.format' })
      wasMoved = format?.['moved'] === true
    }
    return wasMoved
  }

  return {
    isMoved: () => look(ask),
    isMovedIn: look,
    async reading({ there, here }) {
      if (wasMoved) return here()
      const found = await there()
      return (await look(ask)) ? here() : found
    },
    async writing(tags, { there, here }) {
      while (!wasMoved) {
        await ask({ text: NOTE, values: [tags] })
        const done = await within([], async run => {
          await run({ text: SHARE })
          // What was noted may have been copied already, before it is written: it is noted anew.
          const isNow = !(await look(run)) && (await areNoted(run, tags))
          return isNow ? { result: await there() } : undefined
        })
        if (done !== undefined) return done.result
      }
      return here()
    },
  }
}
