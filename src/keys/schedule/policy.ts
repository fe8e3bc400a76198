// How keys are rotated: the policy, and the lines of keys that it asks for.
import { SKEW_MS } from './instants.ts'

/** How keys are rotated; spans in milliseconds. */
export interface KeyPolicy {
  /** Of the keys that are made from now on. */
  readonly algorithm: string
  /** What single audiences and clients need: each has a line of keys of its own, called after it. */
  readonly audienceAlgorithms?: readonly string[]
  /** How long a key signs. */
  readonly rotateEveryMs: number
  /** How long a key is published, at least, before it signs. */
  readonly publishAheadMs: number
  /** The longest life of an access token: how long a key's last token has to be verified. */
  readonly accessTtlMs: number
}

/** The line whose keys sign for every audience that needs no algorithm of its own. */
export const MAIN = 'main'

/** A line of keys, and what its keys are to be. */
export interface Line {
  readonly name: string
  readonly alg: string
}

/**
 * How long a key is left alone after it was made, although the algorithm has changed since. While servers are
 * replaced one by one, old and new ones disagree about it: without this they would undo each other's plans
 * every second.
 */
export const SETTLE_MS = 3_600_000

/** The lines that a policy asks for; the main one comes first. */
export function linesOf({
  algorithm,
  audienceAlgorithms = [],
}: KeyPolicy): readonly Line[] {
  return [
    { name: MAIN, alg: algorithm },
    ...audienceAlgorithms.map(alg => ({ name: alg, alg })),
  ]
}

/** How long a key stays published after it stops signing, in milliseconds. */
export function restOf({ accessTtlMs }: KeyPolicy): number {
  return accessTtlMs + SKEW_MS
}
