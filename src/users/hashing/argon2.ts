// Chooses the build of the package `argon2` (Argon2id, RFC 9106). npm's build runs on every processor;
// native/build.sh, which the image runs, compiles one for processors with AVX2 that is faster by half and
// more.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import portable from 'argon2'
import { hasAvx2 } from '../../base/machine.ts'

/** The library, as far as it is used here. */
export type Argon2 = Pick<typeof portable, 'argon2id' | 'hash' | 'verify'>

/** A build of the library, and why it isn't the fast one. */
export interface Argon2Build {
  readonly argon2: Argon2
  readonly name: 'avx2' | 'portable'
  readonly reason?: 'not_built' | 'processor_without_avx2' | 'self_test_failed'
}

export interface ChooseOptions {
  /** The fast build's module, there or not. */
  readonly file: string
  /** Whether the processor claims to support it. */
  readonly capable: boolean
  /** Milliseconds for the self-test. */
  readonly patienceMs?: number
}

const SELF_TEST = fileURLToPath(
  new URL(`./argon2-self-test${extname(import.meta.url)}`, import.meta.url),
)
const load = createRequire(import.meta.url)

/**
 * Chooses the build. The fast one is tried in a process of its own first: a processor that lacks what it
 * claims to support kills that process, not the server.
 */
export function chooseArgon2({
  file,
  capable,
  patienceMs = 10_000,
}: ChooseOptions): Argon2Build {
  if (!isThere(file)) return { argon2: portable, name: 'portable', reason: 'not_built' }
  if (!capable) {
    return { argon2: portable, name: 'portable', reason: 'processor_without_avx2' }
  }
  const { status } = spawnSync(process.execPath, [SELF_TEST, file], {
    stdio: 'ignore',
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  })
  return status === 0
    ? { argon2: load(file), name: 'avx2' }
    : { argon2: portable, name: 'portable', reason: 'self_test_failed' }
}

function isThere(file: string): boolean {
  try {
    load.resolve(file)
    return true
  } catch {
    return false
  }
}

/** The build of this process. */
export const argon2Build = chooseArgon2({
  file: fileURLToPath(new URL('../../../native/argon2/argon2.cjs', import.meta.url)),
  capable: hasAvx2(),
})

export const { argon2 } = argon2Build
