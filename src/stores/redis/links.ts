// Opens the connections of a store, each with what is known of it: all of them, or none.
import type { Caller } from './connection/caller.ts'
import { connectRedis, type RedisSettings } from './connection/connect.ts'
import { createLink, type Link } from './connection/link.ts'
import { createLastReason } from './connection/opening.ts'
import { durableDeadline } from './safety/durable.ts'

/** The store's own, and the one for writes that wait for replicas; undefined: none is waited for. */
export interface Links {
  readonly link: Link
  readonly durable: Link | undefined
}

/** Opens both; `verify`: what a new connection of the store's own has to pass. */
export async function openLinks(
  settings: RedisSettings & {
    readonly replicas?: number | undefined
    readonly replicasMs?: number | undefined
  },
  verify: () => Promise<unknown>,
): Promise<Links> {
  const link = await openLink(settings, verify)
  if ((settings.replicas ?? 0) === 0) return { link, durable: undefined }
  const deadlineMs = durableDeadline(settings)
  const durable = await orClose(link, openLink({ ...settings, deadlineMs }))
  return { link, durable }
}

/** Opens two that only have to answer. */
export async function openPair(
  first: RedisSettings,
  second: RedisSettings,
): Promise<readonly [Link, Link]> {
  const link = await openLink(first)
  return [link, await orClose(link, openLink(second))]
}

async function openLink(
  settings: RedisSettings,
  verify: (bare: Caller) => Promise<unknown> = ({ run }) => run(client => client.ping()),
): Promise<Link> {
  const last = createLastReason()
  const client = await connectRedis(settings, last)
  return createLink({ client, last, verify, deadlineMs: settings.deadlineMs })
}

async function orClose<T>(opened: Link, opening: Promise<T>): Promise<T> {
  return opening.catch((error: unknown) => {
    opened.close()
    throw error
  })
}
