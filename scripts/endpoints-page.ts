// Writes the tables of docs/endpoints.md from the OpenAPI document of a server that has everything switched
// on: `node scripts/endpoints-page.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { layOut } from './markdown.ts'

const PAGE_FILE = new URL('../docs/endpoints.md', import.meta.url)
const TABLES =
  /(<!-- endpoints: written by scripts\/endpoints-page.ts -->\n)[^]*(<!-- end of endpoints -->)/

/** What is read of a schema here. */
interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
}

interface Media {
  readonly schema?: Schema
}

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly parameters?: ReadonlyArray<{
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema?: Schema
  }>
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses?: Readonly<
    Record<
      string,
      { readonly description?: string; readonly content?: Record<string, Media> }
    >
  >
}

/** What is read of an OpenAPI document here. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** The text of docs/endpoints.md: `page` with its tables written anew. */
export async function pageText(page: string, document: ApiDocument): Promise<string> {
  const sections = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) =>
      section(document, `${method.toUpperCase()} ${path}`, operation),
    ),
  )
  const text = page.replace(
    TABLES,
    (_, head: string, tail: string) => `${head}\n${sections.join('\n')}\n${tail}`,
  )
  return layOut(text)
}

function section(document: ApiDocument, title: string, operation: Operation): string {
  const {
    summary = '',
    description = '',
    parameters = [],
    requestBody,
    responses = {},
  } = operation
  const asked = [
    ...parameters.map(({ name, in: place, required, description: says, schema }) => [
      `\`${name}\``,
      place,
      required === true ? 'yes' : '',
      meaning({ ...schema, ...(says !== undefined && { description: says }) }),
    ]),
    ...Object.entries(requestBody?.content ?? {}).flatMap(([type, { schema }]) =>
      membersOf(document, schema).map(([name, member, required]) => [
        `\`${name}\``,
        type === 'application/json' ? 'JSON' : 'form',
        required ? 'yes' : '',
        meaning(member),
      ]),
    ),
  ]
  const answers = Object.entries(responses).map(([status, answer]) => [
    status,
    cell(answer.description ?? ''),
    Object.values(answer.content ?? {})
      .flatMap(({ schema }) => membersOf(document, schema).map(([name]) => `\`${name}\``))
      .join(' '),
  ])
  return [
    `### ${title}`,
    [`${summary}.`, description].filter(text => text !== '').join('\n\n'),
    ...(asked.length > 0
      ? [table(['parameter', 'in', 'required', 'meaning'], asked)]
      : []),
    table(['answer', 'meaning', 'members'], answers),
  ].join('\n\n')
}

function membersOf(
  document: ApiDocument,
  schema: Schema | undefined,
): [string, Schema, boolean][] {
  const { properties = {}, required = [] } = resolved(document, schema)
  return Object.entries(properties).map(([name, member]) => [
    name,
    resolved(document, member),
    required.includes(name),
  ])
}

function resolved(document: ApiDocument, schema: Schema = {}): Schema {
  const { $ref } = schema
  if ($ref === undefined) return schema
  return document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {}
}

function meaning({ description = '', enum: values, type }: Schema): string {
  const choices = values?.map(value => `\`${String(value)}\``).join(', ') ?? ''
  const kind = type === 'array' ? 'A list.' : ''
  return cell([description, choices, kind].filter(text => text !== '').join(' '))
}

const cell = (text: string) => text.replaceAll('\n', ' ').replaceAll('|', String.raw`\|`)

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** The document of a server whose parts are all switched on. */
export async function wholeDocument(): Promise<ApiDocument> {
  const { buildTestApp, NO_SELF_SERVICE } = await import('../test/support/app.ts')
  const { app, close } = await buildTestApp({
    selfService: {
      ...NO_SELF_SERVICE,
      account: true,
      registration: 'open',
      verify: 'email',
      recovery: true,
    },
  })
  const document = JSON.parse((await app.inject('/openapi.json')).body)
  await close()
  return document
}

if (import.meta.main) {
  const page = readFileSync(PAGE_FILE, 'utf8')
  writeFileSync(PAGE_FILE, await pageText(page, await wholeDocument()))
}
