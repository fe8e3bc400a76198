// latchkey keys status
import type { Config } from '../../config/schema.ts'
import type { KeyRing } from '../../keys/ring.ts'
import { runningLists } from '../../keys/known-secrets.ts'
import { liveTokens } from '../../keys/verifiers/sightings.ts'
import {
  nextRotations,
  secretStatus,
  verifierStatus,
  type SecretStatus,
  type VerifierStatus,
} from '../../keys/verifiers/report.ts'
import { membersOf } from '../terminal/members.ts'
import { iso, span } from '../terminal/time.ts'
import type { StoreTools } from '../tools.ts'
import { countOf } from '../terminal/words.ts'

/** Prints the status of the ring: one record each for keys, turns, secrets, audiences and verifiers. */
export async function printStatus(
  { config, store, print }: StoreTools,
  ring: KeyRing,
): Promise<void> {
  const [sightings, { lists }, now] = await Promise.all([
    store.sightings.load(),
    store.secretLists.load(),
    store.now(),
  ])
  const keys = ring.describe()
  for (const { kid, alg, line, state, removeAt } of keys) {
    const tokens = liveTokens(sightings, kid, now)
    print(
      {
        record: 'key',
        kid,
        alg,
        line,
        state,
        liveTokens: tokens,
        removeAt: iso(removeAt),
      },
      `key ${kid}  ${alg}  ${line}  ${state}  about ${tokens} living tokens`,
    )
  }
  for (const { line, at, kid } of nextRotations(keys)) {
    print(
      {
        record: 'turn',
        line,
        at: iso(at),
        kid,
      },
      `next turn of ${line}: ${iso(at)}, in ${span(at - now)}; then ${kid} signs`,
    )
  }
  const secrets = secretStatus({
    ring: ring.stored(),
    secretIds: ring.secretIds,
    lists: runningLists(lists, now),
    refreshAbsoluteMs: longestSession(config),
  })
  for (const status of secrets) printSecret(status, now, print)
  const verifiers = verifierStatus(sightings, config.keys.publishAhead)
  for (const audience of audiencesOf(config)) printAudience(audience, verifiers, print)
  for (const verifier of verifiers) {
    printVerifier(verifier, { publishAheadMs: config.keys.publishAhead, now, print })
  }
}

function longestSession({ tokens, clients }: Config): number {
  return Math.max(
    tokens.refreshAbsolute,
    ...clients.map(({ refreshAbsolute }) => refreshAbsolute ?? 0),
  )
}

function printSecret(
  { neededUntil, ...status }: SecretStatus,
  now: number,
  print: StoreTools['print'],
): void {
  const { index, fingerprint, state, kids } = status
  const mayGo =
    state === 'previous' &&
    neededUntil !== null &&
    neededUntil <= now &&
    kids.length === 0
  const record = {
    record: 'secret',
    ...status,
    neededUntil: neededUntil === null ? null : iso(neededUntil),
    mayGo,
  }
  print(
    record,
    `secrets[${index}]: ${describeSecret(record)}; fingerprint ${fingerprint}`,
  )
}

type SecretRecord = Pick<SecretStatus, 'state' | 'kids' | 'isEverywhere'> & {
  readonly neededUntil: string | null
  readonly mayGo: boolean
}

function describeSecret(secret: SecretRecord): string {
  if (secret.state === 'first') return describeFirst(secret)
  return secret.state === 'next' ? describeNext(secret) : describePrevious(secret)
}

function describeFirst({ kids, isEverywhere }: SecretRecord): string {
  const uses =
    kids.length > 0
      ? `seals ${countOf(kids.length, 'key')}, and refresh tokens`
      : 'no key is sealed with it yet: a server with it in front does that, within 10 minutes'
  return isEverywhere
    ? uses
    : `${uses}; NOT EVERY running server has it: they answer 503 to its refresh tokens`
}

function describeNext({ isEverywhere }: SecretRecord): string {
  return isEverywhere
    ? 'seals nothing yet; every running server has it, so it may move to the front'
    : 'seals nothing yet; not every running server has it: start them with it before it moves to the front'
}

function describePrevious({ kids, neededUntil, mayGo }: SecretRecord): string {
  if (mayGo) return 'may go'
  if (kids.length > 0) {
    return `still seals ${kids.join(', ')}: a server with another secret in front of it re-encrypts them`
  }
  return neededUntil === null
    ? 'a running server still has it in front'
    : `may go after ${neededUntil}, when the last session that it may have made has ended`
}

/** The audiences that resource servers stand for: clients that are for an audience and ask for no tokens. */
function audiencesOf({
  clients,
}: Config): { readonly audience: string; readonly clientIds: readonly string[] }[] {
  const servers = clients.filter(({ grants }) => grants.length === 0)
  return [...new Set(clients.flatMap(({ audience }) => audience))].map(audience => ({
    audience,
    clientIds: servers
      .filter(server => server.audience.includes(audience))
      .map(({ id }) => id),
  }))
}

function printAudience(
  { audience, clientIds }: ReturnType<typeof audiencesOf>[number],
  verifiers: readonly VerifierStatus[],
  print: StoreTools['print'],
): void {
  const seen = verifiers
    .filter(({ clientId }) => clientId !== null && clientIds.includes(clientId))
    .map(({ name }) => name)
  print(
    { record: 'audience', audience, seen },
    `audience ${audience}: ` +
      (seen.length > 0
        ? `somebody who says that they are its verifier ${seen.join(', ')} was seen`
        : 'no verifier of it has said who it is'),
  )
}

/** What a verifier's record has beside `lastAt`, which is written as a time. */
const PRINTED = [
  'name',
  'isClaimed',
  'userAgent',
  'address',
  'addresses',
  'conditional',
  'fetches',
  'everyMs',
  'longestMs',
  'isSlow',
] as const

function printVerifier(
  verifier: VerifierStatus,
  {
    publishAheadMs,
    now,
    print,
  }: { publishAheadMs: number; now: number; print: StoreTools['print'] },
): void {
  const { name, userAgent, addresses, everyMs, longestMs, lastAt } = verifier
  const who = verifier.isClaimed ? `somebody who says that they are ${name}` : name
  const often =
    everyMs === null || longestMs === null
      ? 'seen once'
      : `every ${span(everyMs)}, at most ${span(longestMs)}, ${countOf(verifier.fetches, 'time')}`
  print(
    {
      record: 'verifier',
      ...membersOf(verifier, PRINTED),
      lastAt: iso(lastAt),
    },
    `verifier ${who}: ${often}, last ${span(now - lastAt)} ago, ` +
      `${verifier.conditional ? 'with' : 'without'} ETag (${userAgent} at ${addresses.join(', ')})`,
  )
  if (verifier.isSlow && longestMs !== null) {
    print(
      { record: 'warning', name, longestMs },
      `WARNING ${who} lets ${span(longestMs)} pass between two fetches, longer than ` +
        `keys.publishAhead (${span(publishAheadMs)}): a turn may find it without the key`,
    )
  }
}
