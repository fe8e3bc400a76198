// The rules of the login counts as pure functions, as stores/redis/scripts/people/login.lua has them; one
// contract test runs on both.
import type { FailureLimit } from '../../ports/login-attempts.ts'

/** One count of failures. Instants in milliseconds. */
export interface FailureCount {
  readonly failures: number
  /** Since when the oldest failure is being forgotten. */
  readonly since: number
  /** Nothing is admitted before. */
  readonly retryAt: number
  /** A pair of name and network is known until then. */
  readonly knownUntil: number
}

const FIRST_DELAY_MS = 1000

/** What nothing was counted for yet. */
export function noFailures(now: number): FailureCount {
  return {
    failures: 0,
    since: now,
    retryAt: 0,
    knownUntil: 0,
  }
}

/** The count by now: one failure goes after each `forgetMs`. A clock that ran backwards forgets nothing. */
export function forget(count: FailureCount, forgetMs: number, now: number): FailureCount {
  const forgotten = Math.min(
    count.failures,
    Math.max(0, Math.floor((now - count.since) / forgetMs)),
  )
  const failures = count.failures - forgotten
  return {
    ...count,
    failures,
    since: failures === 0 ? now : count.since + forgotten * forgetMs,
  }
}

/**
 * How long nothing is admitted. More than the longest delay is none that was set: the clock went back, and
 * must lock nobody out.
 */
export function waitOf(
  { retryAt }: FailureCount,
  maxDelayMs: number,
  now: number,
): number {
  const wait = retryAt - now
  return wait <= maxDelayMs ? Math.max(0, wait) : 0
}

/** A limit, and the longest delay that a failure beyond it costs, in milliseconds. */
export interface DelayedLimit extends FailureLimit {
  readonly maxDelayMs: number
}

/**
 * Counts a failure: 1 s after the last free one, then twice as much each time. At the longest delay the count
 * stays as it is: it is to be forgotten in time.
 */
export function countOne(
  count: FailureCount,
  { free, maxDelayMs }: DelayedLimit,
  now: number,
): FailureCount {
  const failures =
    delayOf(count.failures, free) < maxDelayMs ? count.failures + 1 : count.failures
  const retryAt =
    failures < free ? count.retryAt : now + Math.min(maxDelayMs, delayOf(failures, free))
  return { ...count, failures, retryAt }
}

function delayOf(failures: number, free: number): number {
  return FIRST_DELAY_MS * 2 ** (failures - free)
}

/** Takes a failure back that was counted for a try which turned out to be none. */
export function takeOneBack(count: FailureCount, { free }: FailureLimit): FailureCount {
  const failures = Math.max(0, count.failures - 1)
  return { ...count, failures, retryAt: failures < free ? 0 : count.retryAt }
}

/** When the count says nothing more. */
export function goneAt(
  { failures, since, retryAt, knownUntil }: FailureCount,
  forgetMs: number,
): number {
  return Math.max(retryAt, since + failures * forgetMs, knownUntil)
}
