// Where the bytes of an import come from: a file that can be read twice, or a pipe.
import { createReadStream, type ReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** The bytes of an import. */
export interface Source {
  /** As people name it. */
  readonly name: string
  /** Whether it can be read more than once. */
  readonly isFile: boolean
  /** Begins to read; `parts` lets go of it. */
  read(parts: AsyncDisposableStack): Readable
  /** How much of it was read the last time, 0 to 1; undefined where nobody knows. */
  part(): number | undefined
}

/**
 * Finds the source; `-` is standard input.
 *
 * @throws Error of the file system when there is none
 */
export async function openSource(stdin: Readable, file: string): Promise<Source> {
  if (file === '-') {
    return {
      name: 'standard input',
      isFile: false,
      read: () => stdin,
      part: () => undefined,
    }
  }
  const stats = await stat(file)
  let stream: ReadStream | undefined
  return {
    name: file,
    // A named pipe gives its bytes once.
    isFile: stats.isFile(),
    read(parts) {
      stream = createReadStream(file)
      const opened = stream
      parts.defer(() => {
        opened.destroy()
      })
      return opened
    },
    part: () => (stats.isFile() ? Number(stream?.bytesRead) / stats.size : undefined),
  }
}
