// Looks at a file before its first record is imported: what would go wrong with every record is said once.
import { Refused } from '../terminal/refused.ts'
import { isAttributeColumn, type AttributeOrder } from './attributes/reader.ts'
import { FIELDS, hasPath, isRecord } from './fields.ts'
import type { Format } from './format.ts'
import type { FileRecord } from './records.ts'

/** What is looked for. */
export interface SurveyOrder extends AttributeOrder {
  /** As people name it. */
  readonly file: string
}

/** What was found in the records that were looked at. */
export interface Survey {
  readonly records: number
  /** How many are no JSON. */
  readonly unread: number
  /** The names of columns and members; of very many the first ones. */
  readonly names: ReadonlySet<string>
  /** The paths of those that were asked for which stand in some record. */
  readonly present: ReadonlySet<string>
}

const MOST_NAMES = 40

const FORMAT_NAMES: Readonly<Record<Format, string>> = {
  csv: 'a CSV table',
  jsonl: 'lines of JSON',
  json: 'one JSON document',
}

/** Looks for columns and members. */
export async function survey(
  records: AsyncIterable<FileRecord> | Iterable<FileRecord>,
  paths: readonly string[],
): Promise<Survey> {
  const names = new Set<string>()
  const present = new Set<string>()
  let [count, unread] = [0, 0]
  for await (const { value } of records) {
    count += 1
    if (value === undefined) unread += 1
    for (const path of paths) if (hasPath(value, path)) present.add(path)
    if (!isRecord(value)) continue
    for (const name of Object.keys(value)) if (names.size < MOST_NAMES) names.add(name)
  }
  return {
    records: count,
    unread,
    names,
    present,
  }
}

/** Where the fields are looked for that an order needs or would like to have. */
export function pathsOf({
  from,
  map,
  attributeMap,
}: Pick<SurveyOrder, 'from' | 'map' | 'attributeMap'>): string[] {
  const attributes = Object.values(attributeMap)
  if (map !== undefined) return [...Object.values(map), ...attributes]
  return [...from.needs.flat(), ...from.expects.map(({ path }) => path), ...attributes]
}

/**
 * Checks what was found.
 *
 * @returns what the operator should know
 * @throws Refused when nothing of the file can be meant as it stands
 */
export function checkSurvey(found: Survey, order: SurveyOrder): readonly string[] {
  const { file, format, from, map, attributeMap } = order
  if (found.records === 0) {
    throw new Refused(
      'no_users_found',
      `no users found in ${file}, read as ${FORMAT_NAMES[format]} (--format says otherwise)`,
    )
  }
  if (found.unread === found.records) {
    throw new Refused(
      'file_malformed',
      `no line of ${file} is JSON (--format csv or --format json says what it is)`,
    )
  }
  if (map === undefined && from.onlyFields === true && format === 'csv') {
    checkColumns(found, order)
  }
  const mapped = [map ?? {}, attributeMap]
    .flatMap(Object.values<string>)
    .map(path => [path])
  const needs = map === undefined ? [...from.needs, ...mapped] : mapped
  const missing = needs.filter(paths => !paths.some(path => found.present.has(path)))
  if (missing.length > 0) {
    throw new Refused('columns_missing', missingText(missing, found, order))
  }
  if (map !== undefined) return []
  return from.expects.flatMap(({ path, advice }) =>
    found.present.has(path) ? [] : [advice],
  )
}

function checkColumns({ names }: Survey, order: SurveyOrder): void {
  const unknown = [...names].filter(
    name => !FIELDS.some(field => field === name) && !isAttributeColumn(name, order),
  )
  if (unknown.length === 0) return
  throw new Refused(
    'columns_unknown',
    `${order.file} has columns that mean nothing here: ${unknown.join(', ')}; known are ` +
      `${[...FIELDS, ...order.declarations.keys()].join(', ')} (--map says which column is ` +
      'what, --from where the file is from)',
  )
}

function missingText(
  missing: readonly (readonly string[])[],
  { names }: Survey,
  { file, map }: SurveyOrder,
): string {
  const wanted = missing.map(paths => paths.join(' or ')).join(', ')
  const advice =
    map === undefined ? '; export it as well, or name what is there with --map' : ''
  return `${file} has no ${wanted}; it has ${[...names].join(', ') || 'no fields'}${advice}`
}
