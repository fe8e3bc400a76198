// Carries out plans: makes the keys, seals them and replaces the ring. When another server was faster, it
// plans again.
import type { Emit } from '../base/events/events.ts'
import type {
  Keys,
  StoredKey,
  StoredRing,
  StoredSecret,
} from '../stores/ports/documents/keys.ts'
import { inOrder } from './schedule/instants.ts'
import { makeKey } from './make.ts'
import type { KeyOrder } from './schedule/planned.ts'
import { SETTLE_MS, type KeyPolicy } from './schedule/policy.ts'
import type { PlannedRing } from './schedule/plan-external.ts'
import { sealedUnder } from '../base/sealed-text.ts'
import type { Sealer } from './seal.ts'

/** Plans the next ring. Never throws; it leaves unchanged what it can't do. */
export type Plan = (ring: StoredRing, now: number, policy: KeyPolicy) => PlannedRing

/** The ring as the store has it, and when it was read. */
export interface Saved {
  readonly ring: StoredRing
  /** By the store's clock. */
  readonly at: number
  /** The store's clock minus the monotonic one. */
  readonly offsetMs: number
}

/** What saving needs. */
export interface SaveOptions {
  readonly keys: Keys
  readonly now: () => Promise<number>
  readonly monotonic: () => number
  readonly policy: () => KeyPolicy
  readonly emit: Emit
  readonly sealer: Sealer
}

const TRIES = 8
const SECRETS_REMEMBERED = 8

/** Makes the functions that read the ring, and that plan and save what the plan has changed. */
export function createSave(options: SaveOptions) {
  return {
    read: () => read(options),
    async save(plan: Plan, emit = options.emit): Promise<Saved> {
      for (let tries = 0; tries < TRIES; tries++) {
        const saved = await trySave(plan, { ...options, emit })
        if (saved !== undefined) return saved
      }
      throw new Error(
        `the key ring was changed by others ${TRIES} times while it was being saved`,
      )
    },
  }
}

async function read({ keys, now, monotonic }: SaveOptions): Promise<Saved> {
  const ring = await keys.load()
  const at = await now()
  return { ring, at, offsetMs: at - monotonic() }
}

async function trySave(plan: Plan, options: SaveOptions): Promise<Saved | undefined> {
  const { keys, policy, emit, sealer } = options
  const { ring: before, at, offsetMs } = await read(options)
  const planned = plan(before, at, policy())
  const secrets = secretsOf(before.secrets, sealer, at)
  const made = await Promise.all(
    planned.keys.map(key => ('kid' in key ? key : makeStored(key, sealer))),
  )
  const ring = {
    ...before,
    keys: inOrder(resealed(made, secrets, sealer)),
    gone: planned.gone,
    secrets,
  }
  if (isSame(ring, before)) return { ring: before, at, offsetMs }
  checkSecrets(before, at, sealer)
  if (!(await keys.save(ring))) return undefined
  emit({ type: 'keys.changed', kids: ring.keys.map(({ kid }) => kid) })
  return { ring: { ...ring, version: before.version + 1 }, at, offsetMs }
}

/** A server with the wrong secrets can't open the signing keys: it must not change the ring of the others. */
function checkSecrets({ keys }: StoredRing, at: number, sealer: Sealer): void {
  for (const { kid, sealed, signUntil } of keys) {
    if (sealed !== null && signUntil > at) sealer.open(kid, sealed)
  }
}

function isSame(after: StoredRing, before: StoredRing): boolean {
  return (
    after.gone === before.gone &&
    after.secrets === before.secrets &&
    after.keys.length === before.keys.length &&
    after.keys.every(key => before.keys.includes(key))
  )
}

async function makeStored(
  { alg, ...rest }: KeyOrder,
  sealer: Sealer,
): Promise<StoredKey> {
  const { kid, publicJwk, privateKey } = await makeKey(alg)
  return {
    kid,
    alg,
    ...rest,
    publicJwk,
    sealed: sealer.seal(kid, privateKey),
  }
}

/**
 * The secrets that the ring was sealed with, the newest last. A server whose first secret is older than
 * another's gives way for a while: servers are being replaced one by one, and two of them would re-encrypt
 * against each other.
 */
function secretsOf(
  known: readonly StoredSecret[],
  { secretIds }: Sealer,
  now: number,
): readonly StoredSecret[] {
  const first = String(secretIds[0])
  const newest = known.at(-1)
  const isNews =
    newest === undefined ||
    !known.some(({ id }) => id === first) ||
    newest.since <= now - SETTLE_MS
  if (newest?.id === first || !isNews) return known
  return [...known.filter(({ id }) => id !== first), { id: first, since: now }].slice(
    -SECRETS_REMEMBERED,
  )
}

// A key that can't be opened any more stays as it is: a retiring key verifies without its private half. A
// server that lacks a key's secret can't start, so a server that has it seals the key under one that all
// have.
function resealed(
  keys: readonly StoredKey[],
  secrets: readonly StoredSecret[],
  sealer: Sealer,
): StoredKey[] {
  const { secretIds, sealsUnder, isEverywhere } = sealer
  const isNewest = secrets.at(-1)?.id === secretIds[0]
  const mustMove = (id: string) =>
    id !== sealsUnder &&
    secretIds.includes(id) &&
    (isNewest || (!isEverywhere(id) && isEverywhere(sealsUnder)))
  return keys.map(key => {
    if (key.sealed === null || !mustMove(sealedUnder(key.sealed))) return key
    return { ...key, sealed: sealer.seal(key.kid, sealer.open(key.kid, key.sealed)) }
  })
}
