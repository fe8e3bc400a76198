// How a file holds its records, told by its name or by its first bytes.

export const FORMATS = ['csv', 'jsonl', 'json'] as const

/**
 * `csv`: a row below a head each; `jsonl`: a line of JSON each; `json`: one document, with a list of users or
 * of realms that have one.
 */
export type Format = (typeof FORMATS)[number]

/** So much of a file says which format it has. */
export const START_CHARACTERS = 65_536

const DELIMITERS = [',', ';', '\t', '|'] as const
export type Delimiter = (typeof DELIMITERS)[number]

/** The format that a file's name says; undefined: it says nothing, as `.json` may be either. */
export function formatOfName(file: string): Format | undefined {
  if (/\.csv$/i.test(file)) return 'csv'
  return /\.(?:jsonl|ndjson)$/i.test(file) ? 'jsonl' : undefined
}

/**
 * The format that a text begins like.
 *
 * @param start its beginning, at most START_CHARACTERS, whole when it is shorter
 * @param habit what it is where its beginning leaves that open
 */
export function formatOfStart(start: string, habit: Format): Format {
  const text = start.trimStart()
  if (text === '') return habit
  if (!/^[[{]/.test(text)) return 'csv'
  const [first = '', ...others] = text.split('\n')
  const more = others.some(line => line.trim() !== '')
  const value = parse(first)
  // One line after the other is whole.
  if (value !== undefined && more) return 'jsonl'
  if (text.startsWith('[')) return 'json'
  if (value !== undefined) return habit === 'json' || 'users' in value ? 'json' : 'jsonl'
  // A line that is no JSON but ends as one does, or a document that goes on below.
  return more && first.trimEnd().endsWith('}') ? 'jsonl' : 'json'
}

/** What separates the cells of a table: the sign that stands most often in its head, outside of quotes. */
export function delimiterOf(start: string): Delimiter {
  const [head = ''] = start.trimStart().split('\n', 1)
  const bare = head.replaceAll(/"[^"]*"/g, '')
  const counted = DELIMITERS.map(sign => ({ sign, count: bare.split(sign).length }))
  return counted.reduce((most, next) => (next.count > most.count ? next : most)).sign
}

function parse(line: string): object | undefined {
  try {
    return Object(JSON.parse(line))
  } catch {
    return undefined
  }
}
