// The audit log as configured: beside the log, or in a file of its own.
import type { Clock } from '../../base/clock.ts'
import type { Emit } from '../../base/events/events.ts'
import { createAudit, type AuditStream } from './audit.ts'
import { foldRefusals } from '../fold-refusals.ts'
import { UNCHANGED, type Rewrite } from '../line-form.ts'
import { openAuditFile } from './audit-file.ts'

export interface OpenAudit {
  /** `stdout`: the lines go where the others go; else a file. */
  readonly to: string
  /** Where other lines go. */
  readonly output: AuditStream
  /** Told of each line that the file didn't take. */
  readonly failed: (error: unknown) => void
  /** As `log.service`; default: latchkey. */
  readonly service?: string | undefined
  /** The form of the lines of a file; default: JSON. */
  readonly rewrite?: Rewrite | undefined
  readonly clock: Clock
}

export interface AuditLog {
  readonly emit: Emit
  /** Takes a line that was made elsewhere. Never throws. */
  write(line: string): void
  /** Opens the file anew. */
  reopen(): void
  /** Writes what was held back to be folded, and lets go of the file. */
  close(): void
}

/**
 * Opens the audit log.
 *
 * @throws Error when the file can't be opened
 */
export function openAudit({
  to,
  output,
  failed,
  service,
  rewrite = UNCHANGED,
  clock,
}: OpenAudit): AuditLog {
  const fold = (stream: AuditStream) =>
    foldRefusals({ emit: createAudit(stream, { clock, service }), clock })
  if (to === 'stdout') {
    return { ...fold(output), write: line => output.write(line), reopen() {} }
  }
  const stream = openAuditFile({
    file: to,
    rewrite,
    fallback: output,
    failed,
  })
  const folded = fold(stream)
  return {
    emit: folded.emit,
    write: stream.write,
    reopen: stream.reopen,
    close() {
      folded.close()
      stream.close()
    },
  }
}
