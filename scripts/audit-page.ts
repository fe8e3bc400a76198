// Writes the tables of docs/audit.md from the schema of the audit log and the reason codes: `node
// scripts/audit-page.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { AUDIT_EVENTS } from '../src/observe/audit/audit-events.ts'
import { AuditLine } from '../src/observe/audit/audit-schema.ts'
import { REASONS } from '../src/base/events/reasons.ts'
import { layOut } from './markdown.ts'

const PAGE_FILE = new URL('../docs/audit.md', import.meta.url)
const TABLES =
  /(<!-- tables: written by scripts\/audit-page.ts -->\n)[^]*(<!-- end of tables -->)/

/** What is read of a schema here. */
interface Node {
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Node[]
  readonly description?: string
}

const [LINE, ...EVENTS]: readonly Node[] = JSON.parse(
  JSON.stringify([AuditLine, ...AUDIT_EVENTS]),
)

/** The text of docs/audit.md: `page` with its tables written anew. */
export async function pageText(page: string): Promise<string> {
  const tables = ['', lineTable(), eventTable(), fieldTable(), reasonTable()].join('\n')
  const text = page.replace(
    TABLES,
    (_, head: string, tail: string) => `${head}${tables}${tail}`,
  )
  return layOut(text)
}

function table(
  heading: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [columns, columns.map(() => '---'), ...rows].map(
    cells => `| ${cells.join(' | ')} |\n`,
  )
  return `## ${heading}\n\n${lines.join('')}`
}

function lineTable(): string {
  const rows = membersOf(LINE).map(([name, node]) => [
    code(name),
    LINE?.required?.includes(name) ? 'always' : 'where there is one',
    node.description ?? valuesOf(node),
  ])
  return table('A line', ['member', 'there', 'meaning'], rows)
}

function eventTable(): string {
  const rows = EVENTS.map(event => {
    const fields = membersOf(event)
      .filter(([name]) => name !== 'type')
      .map(([name]) => (event.required?.includes(name) ? code(name) : `${code(name)}?`))
    return [
      code(String(event.properties?.['type']?.const)),
      event.description ?? '',
      fields.join(' '),
    ]
  })
  return table(
    'Events',
    ['`audit.type`', 'what happened', 'further members of `audit`'],
    rows,
  )
}

function fieldTable(): string {
  const fields = new Map(EVENTS.flatMap(membersOf))
  fields.delete('type')
  return table(
    'Members',
    ['member', 'meaning'],
    [...fields].map(([name, node]) => [code(name), node.description ?? valuesOf(node)]),
  )
}

function reasonTable(): string {
  return table(
    'Reason codes',
    ['code', 'meaning'],
    Object.entries(REASONS).map(([reason, meaning]) => [code(reason), meaning]),
  )
}

function membersOf({ properties = {} }: Node = {}): [string, Node][] {
  return Object.entries(properties)
}

function valuesOf(node: Node): string {
  const values =
    node.anyOf?.map(option => option.const) ??
    node.enum ??
    (node.const === undefined ? undefined : [node.const])
  return values?.map(value => code(String(value))).join(', ') ?? `${node.type}.`
}

function code(text: string): string {
  return `\`${text}\``
}

if (import.meta.main) {
  writeFileSync(PAGE_FILE, await pageText(readFileSync(PAGE_FILE, 'utf8')))
}
