// A file of its own for the audit log. A line that can't be written there goes elsewhere: none is lost, and
// no login fails for a full disk.
import { appendFileSync, closeSync, openSync } from 'node:fs'
import type { Rewrite } from '../line-form.ts'
import type { AuditStream } from './audit.ts'

export interface AuditFileOptions {
  readonly file: string
  /** The form of its lines. */
  readonly rewrite: Rewrite
  /** Takes the lines that the file doesn't. */
  readonly fallback: AuditStream
  /** Told of each of them. */
  readonly failed: (error: unknown) => void
}

export interface AuditFile extends AuditStream {
  /** Opens the file anew: after its rotation the old one has another name. Never throws. */
  reopen(): void
  close(): void
}

const open = (file: string) => openSync(file, 'a', 0o600)

/**
 * Opens the file, or makes it.
 *
 * @throws Error when it can't be opened
 */
export function openAuditFile({
  file,
  rewrite,
  fallback,
  failed,
}: AuditFileOptions): AuditFile {
  let fd = open(file)
  return {
    write(line) {
      try {
        appendFileSync(fd, rewrite(line))
      } catch (error) {
        failed(error)
        fallback.write(line)
      }
    },
    reopen() {
      try {
        const next = open(file)
        closeSync(fd)
        fd = next
      } catch (error) {
        failed(error)
      }
    },
    close: () => {
      closeSync(fd)
    },
  }
}
