// Single values of attributes: what each type takes, and the form in which two are compared.
import type { AttributeType } from '../../oauth/standard-claims.ts'
import type { SingleValue } from '../../stores/ports/subjects.ts'
import type { Declaration } from './declarations.ts'
import { readEmail } from './email-address.ts'

/** What one type is. */
interface Kind {
  /** What is expected, to be read behind `expected`. */
  readonly expected: (declaration: Declaration) => string
  /** The value as it is kept; undefined: it is none of this type. */
  readonly read: (value: unknown, declaration: Declaration) => SingleValue | undefined
  /** What a text means that stands where no type can be seen; undefined: nothing. */
  readonly fromText: (text: string) => unknown
  /** Equal for equal values. */
  readonly folded: (value: SingleValue) => string
}

// RFC 3339 §5.6, with the letters in upper case.
const DATE = /\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])/
const TIME = /(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,9})?/
const OFFSET = /Z|[+-](?:[01]\d|2[0-3]):[0-5]\d/
const INSTANT = new RegExp(`^${DATE.source}T${TIME.source}(?:${OFFSET.source})$`)
const DATE_LENGTH = 'YYYY-MM-DD'.length
const INTEGER = /^-?\d{1,16}$/
const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
])

const KINDS: Readonly<Record<AttributeType, Kind>> = {
  string: {
    expected: ({ maxLength }) => `a text of at most ${maxLength} characters`,
    read: (value, { maxLength }) =>
      typeof value === 'string' && value.isWellFormed() && lengthOf(value) <= maxLength
        ? value
        : undefined,
    fromText: text => text,
    folded: value => String(value).normalize('NFC'),
  },
  email: {
    expected: () => 'an e-mail address such as ann@example.com',
    read: value => (typeof value === 'string' ? readEmail(value)?.written : undefined),
    fromText: text => text,
    folded: value => readEmail(String(value))?.folded ?? String(value),
  },
  integer: {
    expected: () => `a whole number within ±${Number.MAX_SAFE_INTEGER}`,
    // The zero below zero is written as 0.
    read: value =>
      typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : undefined,
    fromText: text => (INTEGER.test(text) ? Number(text) : undefined),
    folded: String,
  },
  boolean: {
    expected: () => 'true or false',
    read: value => (typeof value === 'boolean' ? value : undefined),
    fromText: text => FLAGS.get(text),
    folded: String,
  },
  'date-time': {
    expected: () => 'an instant such as 2026-11-28T12:00:00Z',
    read: value => (typeof value === 'string' && isInstant(value) ? value : undefined),
    fromText: text => text,
    folded: value => String(Date.parse(String(value))),
  },
}

/** What a value has to be, in words. */
export function expectedOf(declaration: Declaration): string {
  return KINDS[declaration.type].expected(declaration)
}

/** A single value as it is kept; undefined: it is none of the declared type. */
export function readValue(
  value: unknown,
  declaration: Declaration,
): SingleValue | undefined {
  return KINDS[declaration.type].read(value, declaration)
}

/** What a text stands for, as the command line has it; `undefined` is none of the declared type. */
export function valueOfText(text: string, { type }: Declaration): unknown {
  return KINDS[type].fromText(text)
}

/** The form in which values of the type are compared. */
export function foldValue(
  value: SingleValue,
  { type }: Pick<Declaration, 'type'>,
): string {
  return KINDS[type].folded(value)
}

function lengthOf(text: string): number {
  return Array.from(text).length
}

// Date.parse takes the 31st of February for a day in March.
function isInstant(text: string): boolean {
  if (!INSTANT.test(text)) return false
  const date = text.slice(0, DATE_LENGTH)
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date)
}
