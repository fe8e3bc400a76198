// The audit log of a command. What it does stands in the audit log of the servers: it leaves its lines in the
// store, and one of them logs each. Where that can't be, the lines go where the servers' would go here.
import { systemClock } from '../base/clock.ts'
import type { Emit } from '../base/events/events.ts'
import { printableLines } from '../base/printable.ts'
import { createAudit, type AuditStream } from '../observe/audit/audit.ts'
import { openAuditFile, type AuditFileOptions } from '../observe/audit/audit-file.ts'
import { fileRewriteOf, type LogForm } from '../observe/line-form.ts'
import type { Config } from '../config/schema.ts'
import { failureOf } from './terminal/refused.ts'
import type { Io } from './terminal/io.ts'

/** The audit log of one command. */
export interface CommandAudit {
  readonly emit: Emit
  /**
   * Hands over what was emitted; says so where it can't be, as the command is done already.
   *
   * @param leave resolves to how many of the lines the servers will log
   */
  handOver(leave: (lines: readonly string[]) => Promise<number>): Promise<void>
}

/** As configured. */
export interface CommandAuditSettings {
  readonly audit: Config['audit']
  readonly log: LogForm & Pick<Config['log'], 'service'>
}

/**
 * Makes it. Without a file in `audit.to` the lines are on standard error, too, as results are on standard
 * output.
 */
export function createCommandAudit(
  { stderr }: Io,
  { audit: { to }, log }: CommandAuditSettings,
): CommandAudit {
  const lines: string[] = []
  const rewrite = fileRewriteOf(log)
  const onStderr = {
    write(line: string) {
      stderr.write(printableLines(rewrite(line)))
    },
  }
  const stream: AuditStream = {
    write(line) {
      if (to === 'stdout') onStderr.write(line)
      lines.push(line)
    },
  }

  async function leftOf(leave: (all: readonly string[]) => Promise<number>) {
    try {
      const left = await leave(lines)
      return { left, why: 'too many lines wait already: does a server run?' }
    } catch (error) {
      return { left: 0, why: failureOf(error).message }
    }
  }

  return {
    emit: createAudit(stream, { clock: systemClock, service: log.service }),
    async handOver(leave) {
      if (lines.length === 0) return
      const { left, why } = await leftOf(leave)
      const lost = lines.slice(left)
      if (lost.length === 0) return
      const where = to === 'stdout' ? 'they are above' : `see ${to}`
      const what = `${lost.length} of ${lines.length} lines are not in the servers' audit log`
      stderr.write(`latchkey: ${what}, ${where} (${why})\n`)
      if (to === 'stdout') return
      const file = { file: to, rewrite, fallback: onStderr, failed() {} }
      writeTo(file, lost)
    },
  }
}

function writeTo(file: AuditFileOptions, lines: readonly string[]): void {
  try {
    const log = openAuditFile(file)
    for (const line of lines) log.write(line)
    log.close()
  } catch {
    for (const line of lines) file.fallback.write(line)
  }
}
