// Starts a server whose secrets differ from those of the servers that run already.
import { CannotOpen } from './seal.ts'
import type { KeyRing } from './ring.ts'
import { LIFE_MS, TRUST_MS, type KnownSecrets } from './known-secrets.ts'

const PROCEDURE = 'docs/operations.md, "Rotate the secret"'
const LIFE_MINUTES = LIFE_MS / 60_000

/** How long the other servers get to seal the ring again: tries, and the pause between them. */
const TRIES = 20
const PAUSE_MS = 1_000

/** What waiting needs. */
export interface AtStart {
  readonly known: KnownSecrets
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>
}

/**
 * Publishes the secrets of this server and loads the ring for the first time. When a key is sealed under a
 * secret that only other servers have, they notice and seal it again; this waits for them.
 *
 * @throws CannotOpen when no server did; and as KeyRing.load
 */
export async function loadAtStart(
  keys: Pick<KeyRing, 'load'>,
  atStart: AtStart,
): Promise<void> {
  await atStart.known.sync()
  try {
    await loadWithRetries(keys, atStart)
  } catch (error) {
    // Wrong secrets leave no trace. If the store can't be written, the entry expires by itself.
    if (error instanceof CannotOpen) await atStart.known.withdraw().catch(() => {})
    throw error
  }
}

async function loadWithRetries(
  keys: Pick<KeyRing, 'load'>,
  { known, wait }: AtStart,
  triesLeft = TRIES,
): Promise<void> {
  try {
    await keys.load()
  } catch (error) {
    const isComing =
      error instanceof CannotOpen && known.missing().includes(error.secretId)
    if (!isComing || triesLeft === 0) throw error
    await wait(PAUSE_MS)
    await known.read()
    await loadWithRetries(keys, { known, wait }, triesLeft - 1)
  }
}

/**
 * Waits until every other server knows that this one seals under a secret that they lack: from then on they
 * answer its tokens with 503, never with a verdict.
 */
export async function waitUntilOthersKnow({ known, wait }: AtStart): Promise<void> {
  if (lacksFirst(known, known.isEverywhere)) await wait(TRUST_MS)
}

/**
 * Makes the function that logs a warning when the secrets of the servers begin to differ so that requests get
 * 503, and another one when that is over.
 */
export function createSecretsNotice(
  known: KnownSecrets,
  log: { warn(message: string): void },
): () => void {
  let before = ''
  return () => {
    const now = [...adviceOn(known)].join('; ')
    if (now !== before) {
      log.warn(now === '' ? 'secrets: all servers can read each other again' : now)
    }
    before = now
  }
}

function adviceOn(known: KnownSecrets): readonly string[] {
  const missing = known.missing()
  return [
    ...(missing.length > 0
      ? [
          'secrets: other servers have secrets that this one lacks, or had them within the last ' +
            `${LIFE_MINUTES} minutes (fingerprints ${missing.join(', ')}). What they seal is ` +
            `answered 503 here: append these secrets here (${PROCEDURE})`,
        ]
      : []),
    ...(lacksFirst(known, known.isWithAllThatRun)
      ? [
          `secrets[0] (fingerprint ${known.own[0]?.id}) is not among the secrets of every running ` +
            'server. Those without it answer 503 to what this one seals: append it there first ' +
            `(${PROCEDURE})`,
        ]
      : []),
  ]
}

function lacksFirst(
  { own }: KnownSecrets,
  isWithOthers: (secretId: string) => boolean,
): boolean {
  return own.slice(0, 1).some(({ id }) => !isWithOthers(id))
}
