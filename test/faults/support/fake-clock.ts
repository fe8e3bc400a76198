// A process whose system clock can be made to jump, by libfaketime. Its monotonic clock goes on as ever: no
// real jump touches that one.
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'

export interface FakeClock {
  /** What a process needs in its environment. */
  readonly env: Record<string, string>
  /** Moves the clock away from the true one by so many seconds; resolves when every process has noticed. */
  jump(seconds: number): Promise<void>
}

/** libfaketime looks at its file when more than a second has passed, and counts whole seconds. */
const NOTICED_MS = 2500

/** Makes a clock that is right until it jumps. */
export function createFakeClock(t: Test): FakeClock {
  const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
  if (library === undefined) {
    throw new Error('libfaketime is missing: install it (apt-get install faketime)')
  }
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-clock-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'offset')
  writeFileSync(file, '+0\n')
  return {
    // libc's malloc before Redis' jemalloc, which asks for the time before libfaketime is ready.
    env: {
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    async jump(seconds) {
      writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`)
      await wait(NOTICED_MS)
    },
  }
}
