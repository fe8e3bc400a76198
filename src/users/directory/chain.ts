// Several directories elsewhere in an order: the first that knows a name decides. One that doesn't answer
// ends the search, because it may know the name.
import { readName } from '../names/user-name.ts'
import {
  MAX_PASSWORD_BYTES,
  type Barred,
  type Unavailable,
  type Verdict,
} from './external.ts'
import type { GuardedDirectory } from './guarded.ts'

/** A verdict, and who gave it. */
export type ChainVerdict =
  | (Extract<Verdict, { identity: unknown }> & { readonly by: GuardedDirectory })
  | (Unavailable & { readonly by: GuardedDirectory })
  | { readonly kind: 'wrong' | 'unknown' }
  | Barred

/** The directories, in their order. */
export interface Chain {
  readonly directories: readonly GuardedDirectory[]
  find(name: string): GuardedDirectory | undefined
  verify(name: string, password: string, signal: AbortSignal): Promise<ChainVerdict>
}

/** Puts directories into an order. */
export function createChain(directories: readonly GuardedDirectory[]): Chain {
  const byName = new Map(directories.map(each => [each.settings.name, each]))
  return {
    directories,
    find: name => byName.get(name),
    async verify(typed, password, signal) {
      const name = readName(typed)
      if (name === undefined) return { kind: 'unknown' }
      // Nothing is sent: to some directories an empty password logs nobody in, and "succeeds" (RFC 4513
      // §5.1.2), and others cut it off at a NUL.
      if (!mayBeSent(password)) return { kind: 'wrong' }
      const attempt = {
        name: name.written,
        foldedName: name.folded,
        password,
      }
      for (const by of directories) {
        const verdict = await by.verify(attempt, signal)
        if (verdict.kind === 'unknown') continue
        return verdict.kind === 'wrong' || verdict.kind === 'barred'
          ? verdict
          : { ...verdict, by }
      }
      return { kind: 'unknown' }
    },
  }
}

function mayBeSent(password: string): boolean {
  return (
    password !== '' &&
    !password.includes('\0') &&
    Buffer.byteLength(password) <= MAX_PASSWORD_BYTES
  )
}
