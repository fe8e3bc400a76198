// Where the keys come from that the ring doesn't make itself: the one that the configuration names.
import { openDirectory } from './directory.ts'
import { openPkcs11 } from './pkcs11.ts'
import { linesOf, type KeyPolicy } from '../schedule/policy.ts'
import type { KeySource } from './key-source.ts'

/** What the configuration says of it. */
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
 * @throws Error when it can't be opened; it tells no PIN and nothing of a file's contents
 */
export async function openSource(
  { directory, pkcs11 }: SourceSettings,
  policy: KeyPolicy,
): Promise<KeySource | undefined> {
  const algorithms = linesOf(policy).map(({ alg }) => alg)
  if (directory !== undefined) return openDirectory({ directory, algorithms })
  return pkcs11 === undefined ? undefined : openPkcs11({ ...pkcs11, algorithms })
}
