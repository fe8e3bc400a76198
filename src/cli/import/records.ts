// Reads the records of an import one after the other, whatever the file's form: never the whole file at once.
import type { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { parser } from 'stream-json'
import { pick } from 'stream-json/filters/pick.js'
import { streamArray } from 'stream-json/streamers/stream-array.js'
import { chain } from 'stream-chain'
import { linesOf } from '../../utf8.ts'

/**
 * How a file holds its records: a line of JSON each, a line below a head each, or the list `users` of one
 * JSON document.
 */
export type FileForm = 'lines' | 'csv' | 'document'

/** One record, and where it stands: its line, or its number in the list. */
export interface FileRecord {
  readonly line: number
  /** undefined: the line is no JSON. */
  readonly value: unknown
}

type Reader = (input: Readable) => AsyncIterable<FileRecord>

const READERS: Readonly<Record<FileForm, Reader>> = {
  lines: readLines,
  csv: readCsv,
  document: readDocument,
}

/**
 * Reads the records.
 *
 * @throws Error of the parser when a CSV file or a document is broken: what follows can't be trusted to be
 * records
 */
export function readRecords(input: Readable, form: FileForm): AsyncIterable<FileRecord> {
  return READERS[form](input)
}

async function* readLines(input: Readable): AsyncGenerator<FileRecord> {
  let line = 0
  for await (const text of linesOf(input)) {
    line += 1
    if (text.trim() !== '') yield { line, value: parseLine(text) }
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
async function* readCsv(input: Readable): AsyncGenerator<FileRecord> {
  const rows: AsyncIterable<{
    readonly record: Record<string, string>
    readonly info: { readonly lines: number }
  }> = input.pipe(
    parse({
      columns: true,
      bom: true,
      info: true,
      skipEmptyLines: true,
      trim: true,
    }),
  )
  for await (const { record, info } of rows) {
    yield {
      line: info.lines,
      value: Object.fromEntries(Object.entries(record).filter(([, cell]) => cell !== '')),
    }
  }
}

async function* readDocument(input: Readable): AsyncGenerator<FileRecord> {
  const items: AsyncIterable<{ readonly key: number; readonly value: unknown }> = chain([
    input,
    parser(),
    pick({ filter: 'users' }),
    streamArray(),
  ])
  for await (const { key, value } of items) yield { line: key + 1, value }
}
