// One template: a text with placeholders, {{link}}, and sections that are left out where a value isn't known,
// {{#code}} … {{/code}}. It knows no loop and runs nothing; what it says wrong is found when it is read.

/** What a template may say, by name. */
export const PLACEHOLDERS = [
  'product',
  'link',
  'code',
  'validFor',
  'name',
  'time',
  'network',
  'account',
] as const

/** One of them. */
export type Placeholder = (typeof PLACEHOLDERS)[number]

/** What is known for a mail. */
export type Values = Readonly<Partial<Record<Placeholder, string>>>

/** A template that was read. */
export type Template = readonly Part[]

type Part =
  | { readonly literal: string }
  | { readonly placeholder: Placeholder }
  | { readonly section: Placeholder; readonly parts: readonly Part[] }

/** What a template is read from. */
export interface TemplateSource {
  readonly file: string
  readonly text: string
  /** Where the text begins in its file; default: with line 1. */
  readonly firstLine?: number
  /** What it may say. */
  readonly allowed: readonly Placeholder[]
}

/** A template that can't be used; the message names its file and line. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'

  constructor(file: string, line: number, expected: string) {
    super(`${file}, line ${line}: ${expected}`)
  }
}

// A tag of a section that stands alone takes its line with it.
const TAG = /^\{\{[#/][^{}\n]*\}\}\n|\{\{[^{}\n]*\}\}/gm

/**
 * Reads a template.
 *
 * @throws TemplateError for an unknown placeholder and a section without an end or a beginning
 */
export function parseTemplate(source: TemplateSource): Template {
  const { text } = source
  let open: Open = { parts: [], at: 0 }
  let from = 0
  for (const match of text.matchAll(TAG)) {
    addLiteral(source, open, [from, match.index])
    open = addTag(source, open, match)
    from = match.index + match[0].length
  }
  addLiteral(source, open, [from, text.length])
  const { inner, at, parts } = open
  if (inner !== undefined) fail(source, at, `{{#${inner.section}}} has no end`)
  return parts
}

/** Fills a template in. `escape` is asked about each value. */
export function render(
  template: Template,
  values: Values,
  escape: (value: string) => string,
): string {
  return template
    .map(part => {
      if ('literal' in part) return part.literal
      if ('placeholder' in part) return escape(values[part.placeholder] ?? '')
      return values[part.section] === undefined ? '' : render(part.parts, values, escape)
    })
    .join('')
}

/** Whether it says the placeholder somewhere. */
export function says(template: Template, placeholder: Placeholder): boolean {
  return template.some(part =>
    'section' in part
      ? says(part.parts, placeholder)
      : 'placeholder' in part && part.placeholder === placeholder,
  )
}

/** What is being read: the whole, or a section of what is around it. */
interface Open {
  readonly parts: Part[]
  readonly at: number
  readonly inner?: { readonly section: Placeholder; readonly around: Open }
}

function addLiteral(
  source: TemplateSource,
  { parts }: Open,
  [from, to]: readonly [number, number],
): void {
  const literal = source.text.slice(from, to)
  const stray = literal.indexOf('{{')
  if (stray >= 0) fail(source, from + stray, '{{ begins no placeholder')
  if (literal !== '') parts.push({ literal })
}

/** Adds a tag; returns what is being read behind it. */
function addTag(
  source: TemplateSource,
  open: Open,
  { 0: tag, index }: RegExpExecArray,
): Open {
  const inside = tag.trimEnd().slice(2, -2)
  const name = inside.replace(/^[#/]/, '').trim()
  const placeholder = source.allowed.find(each => each === name)
  if (placeholder === undefined) {
    const known = source.allowed.join(', ')
    fail(source, index, `no such placeholder: ${name} (known here: ${known})`)
  }
  if (inside.startsWith('#')) {
    return {
      parts: [],
      at: index,
      inner: { section: placeholder, around: open },
    }
  }
  if (!inside.startsWith('/')) {
    open.parts.push({ placeholder })
    return open
  }
  const { inner, parts } = open
  if (inner?.section !== placeholder) fail(source, index, `{{/${name}}} ends nothing`)
  inner.around.parts.push({ section: placeholder, parts })
  return inner.around
}

function fail(
  { file, text, firstLine = 1 }: TemplateSource,
  at: number,
  expected: string,
): never {
  const line = firstLine + text.slice(0, at).split('\n').length - 1
  throw new TemplateError(file, line, expected)
}
