// The records of a file in batches, once the file was looked at.
import { formatOfName, type Format } from './format.ts'
import type { AttributeOrder } from './attributes/reader.ts'
import { readRecords, type FileRecord, type Records } from './records.ts'
import type { Source } from './source.ts'
import { checkSurvey, pathsOf, survey } from './survey.ts'

// So many accounts share one sync to the disk.
const BATCH = 100

/** How a file is to be read. */
export interface BatchesOrder extends Omit<AttributeOrder, 'format'> {
  readonly file: string
  /** undefined: told by the file's name or its first bytes. */
  readonly format: Format | undefined
}

/** A file that was looked at. */
export interface Batches {
  readonly format: Format
  /** What the operator should know. */
  readonly notes: readonly string[]
  readonly batches: AsyncIterable<FileRecord[]>
}

/**
 * Looks at a file, and reads it: all of it is looked at where it can be read twice, else its first batch.
 *
 * @throws Refused when it is refused as a whole
 */
export async function openBatches(
  source: Source,
  { file, format: wanted, ...order }: BatchesOrder,
  parts: AsyncDisposableStack,
): Promise<Batches> {
  const { from } = order
  const hint = { format: wanted ?? formatOfName(file), habit: from.format }
  const read = async () => prepared(await readRecords(source.read(parts), hint), from)
  const records = await read()
  const { format } = records
  const check = async (some: Parameters<typeof survey>[0]) =>
    checkSurvey(await survey(some, pathsOf(order)), {
      ...order,
      file: source.name,
      format,
    })
  if (source.isFile) {
    const notes = await check(records)
    return { format, notes, batches: inBatches(await read()) }
  }
  const batches = inBatches(records)
  const first = (await batches.next()).value ?? []
  return {
    format,
    notes: await check(first),
    batches: behind(first, batches),
  }
}

/** The records in the form in which their fields are looked for. */
function prepared(
  records: Records,
  { prepare }: Pick<AttributeOrder['from'], 'prepare'>,
): Records {
  if (prepare === undefined) return records
  return {
    format: records.format,
    async *[Symbol.asyncIterator]() {
      for await (const { line, value } of records) yield { line, value: prepare(value) }
    },
  }
}

async function* behind<Batch>(
  first: Batch,
  others: AsyncIterable<Batch>,
): AsyncGenerator<Batch> {
  yield first
  yield* others
}

async function* inBatches(records: Records): AsyncGenerator<FileRecord[], undefined> {
  let batch: FileRecord[] = []
  for await (const record of records) {
    batch.push(record)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
