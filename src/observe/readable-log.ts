// Log lines for a person at a terminal, in place of JSON: the time of day, the level, what happened, and the
// rest as name=value. Development mode only: whatever collects logs reads the JSON.
import { printable } from '../base/printable.ts'

const LEVELS: Readonly<Record<string, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
}

/** A word that needs no quotes. */
const BARE = /^[\w:/.@+-]+$/

type Fields = Readonly<Record<string, unknown>>

/** An output for JSON lines that writes readable ones. */
export function createReadableLog(out: { write(text: string): unknown }): {
  write(line: string): void
} {
  return {
    write(line) {
      out.write(`${readableLine(line)}\n`)
    },
  }
}

/**
 * A JSON line of the log in readable form, an error's stack on lines of its own; what is no JSON object stays
 * as it is. Holds nothing that a terminal would act upon.
 */
export function readableLine(line: string): string {
  const record = recordOf(line)
  if (record === undefined) return printable(line.trimEnd())
  const { level, time, msg, pid: _pid, hostname: _hostname, audit, err, ...rest } = record
  const { stack, ...error } = isFields(err) ? err : {}
  const words = [
    timeOfDay(time),
    (LEVELS[String(level)] ?? String(level)).padEnd(5),
    String(msg),
    ...fieldsOf({ ...(isFields(audit) ? audit : {}), ...rest, ...error }),
  ]
  const frames = typeof stack === 'string' ? stack.split('\n') : []
  return [words.join(' '), ...frames].map(printable).join('\n')
}

function recordOf(line: string): Fields | undefined {
  try {
    const record: unknown = JSON.parse(line)
    return isFields(record) ? record : undefined
  } catch {
    return undefined
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

function timeOfDay(at: unknown): string {
  return new Date(Number(at)).toTimeString().slice(0, 8)
}

function fieldsOf(fields: Fields): string[] {
  return Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${name}=${BARE.test(text) || typeof value !== 'string' ? text : JSON.stringify(text)}`
  })
}
