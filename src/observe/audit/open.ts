// The audit log as configured: beside the log, or in a file of its own.
import type { Clock } from '../../base/clock.ts'
import type { Emit } from '../../base/events/events.ts'
import { createAudit, type AuditStream } from './audit.ts'
import { foldRefusals } from '../fold-refusals.ts'
import { openAuditFile } from './audit-file.ts'

export interface OpenAudit {
  /** `stdout`: the lines go where the others go; else a file. */
  readonly to: string
  /** Where other lines go. */
  readonly output: AuditStream
  /** Told of each line that the file didn't take. */
  readonly failed: (error: unknown) => void
  readonly clock: Clock
}

export interface AuditLog {
  readonly emit: Emit
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
export function openAudit({ to, output, failed, clock }: OpenAudit): AuditLog {
  if (to === 'stdout') {
    return { ...foldRefusals({ emit: createAudit(output, clock), clock }), reopen() {} }
  }
  const stream = openAuditFile({ file: to, fallback: output, failed })
  const folded = foldRefusals({ emit: createAudit(stream, clock), clock })
  return {
    emit: folded.emit,
    reopen: stream.reopen,
    close() {
      folded.close()
      stream.close()
    },
  }
}
