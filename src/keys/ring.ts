// The key ring: which key signs, which verify, what is published. Kept in memory, so that signing and JWKS depend on nothing.
// Every server acts by the same instants and the store's clock, so all switch at once without talking (DESIGN §6).
import type { JsonWebKey } from 'node:crypto'
import pLimit from 'p-limit'
import type { Emit } from '../events.ts'
import type { Keys, StoredKey } from '../stores/ports.ts'
import { makeKey, publicPem } from './make.ts'
import { inOrder, planRetirement, planRing, planRotation, signerAt, type Instants, type KeyOrder, type KeyPolicy, type Planned } from './plan.ts'
import { createSealer, type Sealer } from './seal.ts'

/** A private key that may sign. */
export interface SigningKey {
  readonly kid: string
  readonly alg: string
  /** PKCS#8 PEM. */
  readonly privateKey: string
}

/** A public key that verifies. */
export interface VerificationKey {
  readonly alg: string
  /** SPKI PEM. */
  readonly publicKey: string
}

/** A key as an operator sees it. */
export interface KeyDescription extends Instants {
  readonly kid: string
  readonly alg: string
  readonly state: 'next' | 'active' | 'retiring'
}

/** What comes of an operator's change: `kid` is the key that signs from now on. */
export type KeyChange =
  | { readonly kind: 'done', readonly kid: string }
  | { readonly kind: 'refused', readonly reason: 'key_unknown' }

/** The key ring. Promises reject with StoreUnavailable, and with Error when a key can't be opened; the ring in memory then stays as it was. */
export interface KeyRing {
  /** Reads the ring, makes what is due, and keeps it. To be called at the start and once a minute. */
  load (): Promise<void>
  /** The key that signs now. Throws Error before the first load. */
  signingKey (): SigningKey
  /** The key of that name, be it next, active or retiring. */
  verificationKey (kid: string): VerificationKey | undefined
  /** What JWKS holds (RFC 7517 §5): the same keys, public members only. */
  published (): readonly JsonWebKey[]
  /** The keys in the order in which they sign. */
  describe (): readonly KeyDescription[]
  /**
   * The next key signs from now on, the active one retires, and a new next one is published. In the minute after a turn it only
   * publishes that. Other servers follow with their next load.
   */
  rotateNow (): Promise<KeyChange>
  /** Drops a key at once, for one that leaked: its tokens die. If it was active the next one takes over. */
  retire (kid: string): Promise<KeyChange>
}

/** What the ring is made of. */
export interface KeyRingOptions {
  readonly keys: Keys
  /** base64url, as configured: the first seals, all open. */
  readonly secrets: readonly string[]
  /** The store's clock. */
  readonly now: () => Promise<number>
  readonly policy: () => KeyPolicy
  readonly emit: Emit
  /** Milliseconds of a clock that only runs forward; performance.now when left out. */
  readonly monotonic?: () => number
}

interface Published extends Instants, VerificationKey {
  readonly kid: string
  readonly jwk: JsonWebKey
}

interface Snapshot {
  /** In the order in which they sign. */
  readonly keys: readonly Published[]
  /** Those of them that may still sign. */
  readonly signers: ReadonlyArray<SigningKey & Instants>
  /** The store's clock minus the monotonic one. */
  readonly offsetMs: number
}

/** The ring as the store has it, and when it was read. */
interface Saved {
  readonly ring: readonly StoredKey[]
  readonly at: number
  readonly offsetMs: number
}

type Plan = (ring: readonly StoredKey[], now: number, policy: KeyPolicy) => readonly Planned[]

const SAVES = 8

/**
 * Makes the ring, empty until it is loaded.
 *
 * @throws TypeError without a secret
 */
export function createKeyRing (options: KeyRingOptions): KeyRing {
  const { keys, secrets, monotonic = () => performance.now() } = options
  const sealer = createSealer(secrets)
  const save = createSave({ ...options, monotonic }, sealer)
  // One at a time, so that a slow load never puts an older ring in the place of a newer one.
  const inTurn = pLimit(1)
  let loaded: Snapshot = { keys: [], signers: [], offsetMs: 0 }
  const update = (plan: Plan) => inTurn(async () => {
    loaded = open(await save(plan), sealer)
    return view().signer.kid
  })
  const view = () => look(loaded, monotonic() + loaded.offsetMs)

  return {
    async load () {
      await update(planRing)
    },
    signingKey () {
      const { kid, alg, privateKey } = view().signer
      return { kid, alg, privateKey }
    },
    verificationKey (kid) {
      const key = view().living.find(key => key.kid === kid)
      return key === undefined ? undefined : { alg: key.alg, publicKey: key.publicKey }
    },
    published: () => view().living.map(({ jwk }) => jwk),
    describe () {
      const { living, signer, now } = view()
      return living.map(key => describe(key, signer.kid, now))
    },
    rotateNow: async () => ({ kind: 'done', kid: await update(planRotation) }),
    async retire (kid) {
      if (!(await keys.load()).keys.some(key => key.kid === kid)) return { kind: 'refused', reason: 'key_unknown' }
      return { kind: 'done', kid: await update((ring, now, policy) => planRetirement(ring, kid, now, policy)) }
    },
  }
}

function look ({ keys, signers }: Snapshot, now: number) {
  const signer = signerAt(signers, now)
  if (signer === undefined) throw new Error('the key ring is not loaded')
  // Not by publishAt: a key is in the ring from that instant on, and a clock that was set back must not hide it.
  return { now, signer, living: keys.filter(key => key.removeAt > now || key.kid === signer.kid) }
}

/** Carries plans out: makes the keys and replaces the ring, planning anew when another server was faster. */
function createSave (options: Required<KeyRingOptions>, sealer: Sealer) {
  return async (plan: Plan): Promise<Saved> => {
    for (let saves = 0; saves < SAVES; saves++) {
      const saved = await trySave(plan, options, sealer)
      if (saved !== undefined) return saved
    }
    throw new Error(`the key ring was changed by others ${SAVES} times while it was being saved`)
  }
}

async function trySave (plan: Plan, { keys, now, monotonic, policy, emit }: Required<KeyRingOptions>, sealer: Sealer): Promise<Saved | undefined> {
  const { version, keys: before } = await keys.load()
  const at = await now()
  const offsetMs = at - monotonic()
  const planned = await Promise.all(plan(before, at, policy()).map(key => 'kid' in key ? key : makeStored(key, sealer)))
  const ring = inOrder(planned)
  if (isSame(ring, before)) return { ring, at, offsetMs }
  if (!await keys.save({ version, keys: ring })) return undefined
  emit({ type: 'keys.changed', kids: ring.map(({ kid }) => kid) })
  return { ring, at, offsetMs }
}

function isSame (after: readonly StoredKey[], before: readonly StoredKey[]): boolean {
  return after.length === before.length && after.every(key => before.includes(key))
}

async function makeStored ({ alg, ...instants }: KeyOrder, sealer: Sealer): Promise<StoredKey> {
  const { kid, publicJwk, privateKey } = await makeKey(alg)
  return { kid, alg, ...instants, publicJwk, sealed: sealer.seal(kid, privateKey) }
}

// Only what may still sign is opened: a retiring key verifies also after the secret that sealed it is gone.
function open ({ ring, at, offsetMs }: Saved, sealer: Sealer): Snapshot {
  const keys = ring.map(({ kid, alg, publicJwk, sealed, ...instants }) => (
    { kid, alg, ...instants, publicKey: publicPem(publicJwk), jwk: { ...publicJwk, kid, use: 'sig', alg } }
  ))
  const signers = ring.filter(key => key.signUntil > at).map(({ kid, alg, publicJwk, sealed, ...instants }) => (
    { kid, alg, ...instants, privateKey: sealer.open(kid, sealed) }
  ))
  return { keys, signers, offsetMs }
}

function describe ({ kid, alg, publishAt, signFrom, signUntil, removeAt }: Published, signer: string, now: number): KeyDescription {
  const state = kid === signer ? 'active' : signFrom > now ? 'next' : 'retiring'
  return { kid, alg, state, publishAt, signFrom, signUntil, removeAt }
}
