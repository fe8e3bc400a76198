// Log lines for a person at a terminal, in place of JSON: the time of day, the level, what happened, and the
// rest as name=value. Whatever collects logs reads the JSON.
import { printable } from '../base/printable.ts'
import { isRecord, levelWord, recordOf, type LogRecord } from './log-record.ts'

/** A word that needs no quotes. */
const BARE = /^[\w:/.@+-]+$/

/**
 * A JSON line of the log in readable form, an error's stack on lines of its own; what is no JSON object stays
 * as it is. Holds nothing that a terminal would act upon.
 */
export function readableLine(line: string): string {
  const record = recordOf(line)
  if (record === undefined) return printable(line.trimEnd())
  const { level, time, msg, audit, err, ...more } = record
  const { pid: _pid, hostname: _hostname, service: _service, ...rest } = more
  const { stack, ...error } = isRecord(err) ? err : {}
  const words = [
    timeOfDay(time),
    levelWord(level).toUpperCase().padEnd(5),
    String(msg),
    ...fieldsOf({ ...(isRecord(audit) ? audit : {}), ...rest, ...error }),
  ]
  const frames = typeof stack === 'string' ? stack.split('\n') : []
  return [words.join(' '), ...frames].map(printable).join('\n')
}

function timeOfDay(at: unknown): string {
  return new Date(Number(at)).toTimeString().slice(0, 8)
}

function fieldsOf(fields: LogRecord): string[] {
  return Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${name}=${BARE.test(text) || typeof value !== 'string' ? text : JSON.stringify(text)}`
  })
}
