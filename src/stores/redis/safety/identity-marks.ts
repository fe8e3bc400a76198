// The marks that hold the store's identity: the text of one, and how all of them are compared.
import { Cluster, type Redis } from 'ioredis'
import { systemRandom, type Random } from '../../../base/random.ts'
import type { RedisKeys } from '../redis-keys.ts'

/** A store's identity as it is kept: its id, and the ids of those before it, the newest first. */
export interface Mark {
  readonly id: string
  readonly before: readonly string[]
  readonly text: string
}

/** The texts of all marks by their index. null: none is there; undefined: its node is away. */
export type Marks = ReadonlyArray<string | null | undefined>

/** In a cluster each master may lose its data alone: with so many marks each has some. */
const CLUSTER_MARKS = 64
/** How many earlier ids a mark names: so many may come within the second in which a server doesn't look. */
const REMEMBERED = 8
/** What the first mark has instead of earlier ids. */
const FIRST = '-'

/** The names of all marks. */
export function marksOf(
  client: Redis | Cluster,
  keys: Pick<RedisKeys, 'identity'>,
): string[] {
  return Array.from(
    { length: client instanceof Cluster ? CLUSTER_MARKS : 1 },
    (_, index) => keys.identity(index),
  )
}

/** Reads the text of a mark. */
export function markOf(text: string): Mark {
  const [id = '', ...before] = text.split(' ')
  return { id, before, text }
}

/** A new id, and those of the marks before it: a server may not have seen each of them. */
export function newMark(before: string, random: Random = systemRandom): Mark {
  const id = random.bytes(12).toString('base64url')
  const ids = new Set(before.split(' ').filter(old => old !== '' && old !== FIRST))
  return markOf(
    [id, ...(ids.size > 0 ? [...ids].slice(0, REMEMBERED) : [FIRST])].join(' '),
  )
}

/** The text of a mark that servers accept as the successor of this one, without a loss. */
export function markAfter(text: string): string {
  return newMark(text).text
}

/** The indexes of the marks that are another one or missing; those whose node is away don't count. */
export function differing(marks: Marks, known: Mark | undefined): number[] {
  return [...marks.entries()].flatMap(([index, text]) =>
    text === undefined || text === known?.text ? [] : [index],
  )
}

/**
 * The answers; undefined for a node that is away. Rejects when no node answers.
 */
export async function answersOf<T>(
  asked: ReadonlyArray<Promise<T>>,
): Promise<ReadonlyArray<T | undefined>> {
  const settled = await Promise.allSettled(asked)
  if (settled.every(({ status }) => status === 'rejected')) await asked[0]
  return settled.map(answer => (answer.status === 'fulfilled' ? answer.value : undefined))
}
