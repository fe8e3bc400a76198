// What a line of the log is made of, for those that write it in another form.

/** `service` of a line where nothing else is configured. */
export const SERVICE = 'latchkey'

/** A line of the log that was read. */
export type LogRecord = Readonly<Record<string, unknown>>

const LEVELS: Readonly<Record<string, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** Reads a line; undefined: it is no JSON object. */
export function recordOf(line: string): LogRecord | undefined {
  try {
    const record: unknown = JSON.parse(line)
    return isRecord(record) ? record : undefined
  } catch {
    return undefined
  }
}

/** Whether it is an object. */
export function isRecord(value: unknown): value is LogRecord {
  return typeof value === 'object' && value !== null
}

/** The name of a level; that of one which nobody here knows is its number. */
export function levelWord(level: unknown): string {
  return LEVELS[String(level)] ?? String(level)
}

/** An instant in milliseconds as ISO 8601; what is none stays as it is. */
export function timeText(at: unknown): unknown {
  return typeof at === 'number' ? new Date(at).toISOString() : at
}
