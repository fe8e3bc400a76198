// Reads the records of an import one after the other, whatever the file's format: never the whole file at
// once.
import { pipeline, Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { parser } from 'stream-json'
import { linesOf, utf8Of } from '../../base/utf8.ts'
import { Refused } from '../terminal/refused.ts'
import { usersOf } from './document.ts'
import { delimiterOf, formatOfStart, START_CHARACTERS, type Format } from './format.ts'

/** One record, and where it stands: its line, or its number in the list of a document. */
export interface FileRecord {
  readonly line: number
  /** undefined: the line is no JSON. */
  readonly value: unknown
}

/** The records of a file. */
export interface Records extends AsyncIterable<FileRecord> {
  readonly format: Format
}

type Reader = (text: AsyncIterable<string>, start: string) => AsyncIterable<FileRecord>

const READERS: Readonly<Record<Format, Reader>> = {
  jsonl: readLines,
  csv: readCsv,
  json: readDocument,
}

/** What is known of the format: certain, or what it is where the first bytes leave that open. */
export interface FormatHint {
  readonly format: Format | undefined
  readonly habit: Format
}

/**
 * Reads the records.
 *
 * @throws NotUtf8, and Refused `file_malformed` when a table or a document is broken: what follows can't be
 * trusted to be records
 */
export async function readRecords(
  input: AsyncIterable<Uint8Array | string>,
  { format: known, habit }: FormatHint,
): Promise<Records> {
  const { start, text } = await peek(utf8Of(input))
  const format = known ?? formatOfStart(start, habit)
  const records = READERS[format](text, start)
  return { format, [Symbol.asyncIterator]: () => records[Symbol.asyncIterator]() }
}

/** The beginning of a text, and all of it. */
async function peek(
  pieces: AsyncGenerator<string>,
): Promise<{ start: string; text: AsyncIterable<string> }> {
  let start = ''
  while (start.length < START_CHARACTERS) {
    const { value, done } = await pieces.next()
    if (done === true) break
    start += value
  }
  async function* whole(): AsyncGenerator<string> {
    yield start
    yield* pieces
  }
  return { start: start.slice(0, START_CHARACTERS), text: whole() }
}

async function* readLines(text: AsyncIterable<string>): AsyncGenerator<FileRecord> {
  let line = 0
  for await (const lineText of linesOf(text)) {
    line += 1
    if (lineText.trim() !== '') yield { line, value: parseLine(lineText) }
  }
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// An empty cell is no value.
async function* readCsv(
  text: AsyncIterable<string>,
  start: string,
): AsyncGenerator<FileRecord> {
  const rows: AsyncIterable<{
    readonly record: Record<string, string>
    readonly info: { readonly lines: number }
  }> = piped(
    text,
    parse({
      columns: checkHead,
      delimiter: delimiterOf(start),
      info: true,
      skipEmptyLines: true,
      trim: true,
    }),
  )
  try {
    for await (const { record, info } of rows) {
      const cells = Object.entries(record)
      yield {
        line: info.lines,
        value: Object.fromEntries(cells.map(([key, cell]) => [key, cell || undefined])),
      }
    }
  } catch (error) {
    throw error instanceof CsvError ? brokenTable(error) : error
  }
}

function checkHead(head: string[]): string[] {
  const twice = head.find((column, index) => head.indexOf(column) !== index)
  if (twice !== undefined) {
    throw new Refused('file_malformed', `the column ${twice} stands twice in the head`)
  }
  return head
}

// The library's own message quotes cells.
function brokenTable(error: CsvError): Refused {
  const what =
    error.code === 'CSV_RECORD_INCONSISTENT_COLUMNS'
      ? 'the row has not as many cells as the head'
      : 'a quotation mark stands within a cell, or is not closed'
  return new Refused('file_malformed', `line ${String(error['lines'])}: ${what}`)
}

async function* readDocument(text: AsyncIterable<string>): AsyncGenerator<FileRecord> {
  let line = 0
  try {
    for await (const value of usersOf(
      piped(text, parser.asStream({ streamValues: false })),
    )) {
      line += 1
      yield { line, value }
    }
  } catch (error) {
    throw brokenDocument(error)
  }
}

/** The parser's own words say what it expected, and quote nothing. */
function brokenDocument(error: unknown): unknown {
  const [, what] =
    /^Error: Parser (?:cannot parse input: |has )(.*)/.exec(String(error)) ?? []
  return what === undefined
    ? error
    : new Refused('file_malformed', `not valid JSON: ${what}`)
}

/** What a stream makes of a text; a fault of either ends it. */
function piped<Stream extends NodeJS.ReadWriteStream>(
  text: AsyncIterable<string>,
  stream: Stream,
): Stream {
  pipeline(Readable.from(text), stream, () => {})
  return stream
}
