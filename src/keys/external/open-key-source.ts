// Opens the source of keys that the configuration names; without one the ring makes its own keys.
import { openDirectory } from './directory.ts'
import { openPkcs11 } from './pkcs11.ts'
import { linesOf, type KeyPolicy } from '../schedule/policy.ts'
import type { KeySource } from './key-source.ts'

/** Its configuration. */
export interface SourceSettings {
  readonly directory?: string | undefined
  readonly pkcs11?:
    | {
        readonly module: string
        readonly token: string
        readonly pin: string
        readonly driver: string
      }
    | undefined
}

/**
 * Opens it; undefined where none is named.
 *
 * @throws Error when it can't be opened; the message holds no PIN and nothing of a file
 */
export async function openSource(
  { directory, pkcs11 }: SourceSettings,
  policy: KeyPolicy,
): Promise<KeySource | undefined> {
  const algorithms = linesOf(policy).map(({ alg }) => alg)
  if (directory !== undefined) return openDirectory({ directory, algorithms })
  return pkcs11 === undefined ? undefined : openPkcs11({ ...pkcs11, algorithms })
}
