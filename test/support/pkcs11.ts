// A PKCS#11 token that a file plays (fake-pkcs11.js), for the tests of keys.pkcs11.
import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openPkcs11, type Pkcs11Options } from '../../src/keys/external/pkcs11.ts'
import type { Driver } from '../../src/keys/external/pkcs11-token.ts'
import type { KeySource } from '../../src/keys/external/key-source.ts'

export const { default: driver }: { default: Driver } = await import(
  './fake-pkcs11.js' as string
)
export const DRIVER = new URL('./fake-pkcs11.js', import.meta.url).pathname

export const pemOf = ({ privateKey }: KeyPairKeyObjectResult) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
export const EC = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
export const RSA = pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
export const ED = pemOf(generateKeyPairSync('ed25519'))

export interface FakeKey {
  readonly label: string
  readonly pem: string
  readonly private?: boolean
  readonly does?: string
  /** Another private key that its signatures come from. */
  readonly signsAs?: string
}

/** A token with these keys, and how to open it. */
export function tokenOf(t: Test, keys: readonly FakeKey[]) {
  const module = join(t.testdir({}), 'token.json')
  const write = (keys: readonly FakeKey[]) => {
    writeFileSync(module, JSON.stringify({ token: 'latchkey', pin: '1234', keys }))
  }
  write(keys)
  const open = async (more: Partial<Pkcs11Options> = {}): Promise<KeySource> => {
    const source = await openPkcs11({
      driver: DRIVER,
      module,
      token: 'latchkey',
      pin: '1234',
      algorithms: ['ES256'],
      // A busy machine starts a process slowly.
      openMs: 60_000,
      ...more,
    })
    t.teardown(() => source.close())
    return source
  }
  return { module, write, open }
}
