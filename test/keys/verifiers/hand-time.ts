// The time that verifiers see: this process's, and that of the processes that it starts with `env`.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'

export interface HandTime {
  /** Puts it to an instant, in milliseconds; other processes see whole seconds. */
  set(at: number): void
  /** What makes other processes see it: libfaketime reads it from a file at every look at the clock. */
  readonly env: Record<string, string>
  /** Gives this process its own time back. */
  release(): void
}

/** Takes hold of the time of this process; `directory` keeps the file for the others. */
export function takeTime(directory: string, start: number): HandTime {
  const file = join(directory, 'now')
  // `performance` measures the lives of what caches keep (lru-cache), `Date` everything else.
  const original = performance.now
  const offset = start - original.call(performance)
  let at = start
  const write = () => {
    writeFileSync(file, `${Math.floor(at / 1000)}\n`)
  }
  mock.timers.enable({ apis: ['Date'], now: start })
  performance.now = () => at - offset
  write()
  return {
    env: {
      LD_PRELOAD: libfaketime(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_FMT: '%s',
      FAKETIME_NO_CACHE: '1',
    },
    set(instant) {
      at = instant
      mock.timers.setTime(at)
      write()
    },
    release() {
      mock.timers.reset()
      performance.now = original
    },
  }
}

function libfaketime(): string {
  try {
    return execFileSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], {
      encoding: 'utf8',
    }).trim()
  } catch (cause) {
    throw new Error(
      'faketime is not on the PATH: install it (apt-get install faketime)',
      { cause },
    )
  }
}
