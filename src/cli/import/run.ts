// Runs an import: records in, accounts made of them in batches, what became of each told and counted.
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  createImportUsers,
  type ForeignUser,
  type ImportItem,
  type ImportOutcome,
} from '../../users/import.ts'
import type { StoreTools } from '../tools.ts'
import { mapFields, userOf, type FieldMap } from './fields.ts'
import { createProgress, type Count } from './progress.ts'
import { readRecords, type FileForm, type FileRecord } from './records.ts'
import type { FirebaseParameters, System } from './systems.ts'

// So many accounts share one sync to the disk.
const BATCH = 100

/** What is imported, and how. */
export interface ImportOrder {
  /** - is standard input. */
  readonly file: string
  readonly from: System
  /** Replaces what the system's fields mean. */
  readonly map: FieldMap | undefined
  readonly firebase: FirebaseParameters | undefined
  readonly dryRun: boolean
  /** A file for what became of each account. */
  readonly report: string | undefined
}

interface Item extends ImportItem {
  readonly line: number
}

/** Imports a file; what is refused is printed. */
export async function importFile(tools: StoreTools, order: ImportOrder): Promise<Count> {
  const { io, emit, print, config } = tools
  const { file, from, dryRun } = order
  const importUsers = createImportUsers({
    ...tools,
    users: tools.store.users,
    secrets: config.secrets,
    dryRun,
  })
  await using parts = new AsyncDisposableStack()
  const input = await openInput(io.stdin, file)
  parts.defer(() => {
    input.stream.destroy()
  })
  const report = await openReport(order.report, parts)
  const progress = createProgress(io)
  parts.defer(() => {
    progress.clear()
  })
  const count: Count = { taken: 0, alreadyThere: 0, refused: 0 }
  // Told also of an import that is cut short.
  if (!dryRun) {
    parts.defer(() => {
      emit({ type: 'users.imported', ...count })
    })
  }

  for await (const batch of inBatches(readRecords(input.stream, formOf(file, from)))) {
    const done = await importUsers(
      batch.map(record => ({ line: record.line, user: toUser(record, order) })),
    )
    await report(done)
    for (const { item, outcome } of done) {
      count[COUNTED[outcome.kind]] += 1
      if (outcome.kind !== 'refused') continue
      progress.clear()
      print(
        { line: item.line, reason: outcome.reason },
        `line ${item.line}: ${outcome.reason.replaceAll('_', ' ')}`,
      )
    }
    progress.show(input.part(), count)
  }
  return count
}

const COUNTED = {
  taken: 'taken',
  already_there: 'alreadyThere',
  refused: 'refused',
} as const

function toUser(
  { value }: FileRecord,
  { from, map, firebase }: ImportOrder,
): ForeignUser | { readonly unread: 'line_no_json' | 'line_malformed' } {
  if (value === undefined) return { unread: 'line_no_json' }
  const fields =
    map === undefined ? from.fieldsOf(value, { firebase }) : mapFields(value, map)
  return (fields && userOf(fields)) ?? { unread: 'line_malformed' }
}

async function* inBatches(
  records: AsyncIterable<FileRecord>,
): AsyncGenerator<FileRecord[]> {
  let batch: FileRecord[] = []
  for await (const record of records) {
    batch.push(record)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

// The file's name says more than the system's habit.
function formOf(file: string, { form }: System): FileForm {
  if (/\.csv$/i.test(file)) return 'csv'
  return /\.(?:jsonl|ndjson)$/i.test(file) ? 'lines' : form
}

interface Input {
  readonly stream: Readable
  /** How much of it was read, 0 to 1; undefined where nobody knows. */
  part(): number | undefined
}

async function openInput(stdin: Readable, file: string): Promise<Input> {
  if (file === '-') return { stream: stdin, part: () => undefined }
  const { size } = await stat(file)
  const stream = createReadStream(file)
  return { stream, part: () => stream.bytesRead / size }
}

type Report = (
  done: readonly { readonly item: Item; readonly outcome: ImportOutcome }[],
) => Promise<void>

async function openReport(
  name: string | undefined,
  parts: AsyncDisposableStack,
): Promise<Report> {
  if (name === undefined) return async () => {}
  const file = await open(name, 'w')
  parts.defer(() => file.close())
  return async done => {
    const lines = done.map(({ item: { line, user }, outcome }) =>
      JSON.stringify({ line, ...('name' in user && { name: user.name }), ...outcome }),
    )
    await file.write(`${lines.join('\n')}\n`)
  }
}
