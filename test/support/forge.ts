// Tokens that Latchkey would never hand out, signed with its own key: what only a verifier's other checks can
// refuse.
import { importPKCS8, SignJWT, type JWTPayload } from 'jose'
import { createKeyRing, type SigningKey } from '../../src/keys/ring.ts'
import { openStore } from '../../src/stores/open.ts'
import { PATIENT } from './until.ts'

const DAY = 86_400_000

/** Reads the key that a running server signs with. */
export async function signingKeyOf(
  storeUrl: string,
  secret: string,
): Promise<SigningKey> {
  const { store } = await openStore({ ...PATIENT, url: storeUrl, clock: Date.now })
  try {
    const policy = () =>
      ({
        algorithm: 'ES256',
        rotateEveryMs: 90 * DAY,
        publishAheadMs: 7 * DAY,
        accessTtlMs: 600_000,
      }) as const
    const ring = createKeyRing({
      keys: store.keys,
      secrets: [secret],
      now: () => store.now(),
      policy,
      emit: () => {},
    })
    await ring.load()
    return ring.signingKey()
  } finally {
    await store.close()
  }
}

/** Signs any claims under any header. */
export async function forge(
  signing: SigningKey,
  claims: JWTPayload,
  header: Record<string, unknown> = {},
): Promise<string> {
  if (!('privateKey' in signing)) throw new Error('a key that is kept elsewhere')
  const { kid, alg, privateKey } = signing
  const key = await importPKCS8(privateKey, alg)
  return new SignJWT(claims)
    .setProtectedHeader({
      alg,
      kid,
      typ: 'at+jwt',
      ...header,
    })
    .sign(key)
}
