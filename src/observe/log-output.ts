// Standard output for the log. Under load most lines tell that a request was answered: they wait for each
// other, and many go out in one write. Any other line goes out at once and takes the waiting ones along, so
// the order is kept and no audit line is ever lost. Nothing waits for a disk: the library's flushSync does,
// with the event loop, at every line where standard output is a file.
import pino from 'pino'
import { UNCHANGED, type Rewrite } from './line-form.ts'

/** The message of the line that may wait. */
export const ANSWERED = 'answered'

/** Asks pino to tell, before each line, what it writes. */
const METADATA = Symbol.for('pino.metadata')

/** What a pipe takes at once, whole: several processes may write to the same one (POSIX, PIPE_BUF). */
const BLOCK_BYTES = 4096
/** How long a line may wait. */
const WAIT_MS = 100

/** Where log lines go. */
export interface LogOutput {
  write(line: string): void
  /** Writes what waits. */
  flush(): void
}

/** Opens a file descriptor for the log; standard output when left out. `rewrite`: the form of its lines. */
export function createLogOutput(fd = 1, rewrite: Rewrite = UNCHANGED): LogOutput {
  const out = pino.destination({
    dest: fd,
    sync: true,
    minLength: BLOCK_BYTES - 1,
    maxWrite: BLOCK_BYTES,
    periodicFlush: WAIT_MS,
  })
  const output = {
    [METADATA]: true,
    lastMsg: '',
    write(line: string) {
      out.write(rewrite(line))
      if (this.lastMsg !== ANSWERED) out.flush()
    },
    flush: () => out.flush(),
  }
  return output
}
