// The templates of all mails: those that come along, and those of the operator's folder, which take the place
// of them one by one. A language is there when a mail has a template in it; each mail is there in the default
// language.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NOTICES, TICKETS, type MessageType } from '../../base/events/message-types.ts'
import {
  parseTemplate,
  says,
  TemplateError,
  type Placeholder,
  type Template,
} from './template.ts'

/** A mail's template in one language. */
export interface MailTemplate {
  /** BCP 47. */
  readonly lang: string
  readonly subject: Template
  readonly text: Template
  /** Undefined: the HTML is made of the text. */
  readonly html: Template | undefined
}

/** All templates. */
export interface MailTemplates {
  /** The one for a language (BCP 47), or the nearest: RFC 4647 §3.4, then the default language. */
  choose(type: MessageType, locale: string | undefined): MailTemplate | undefined
}

/** Which templates there are. */
export interface TemplatesSettings {
  /** The operator's folder. */
  readonly templates?: string | undefined
  /** The language for whoever has no other. */
  readonly locale: string
}

/** A mail goes to people: tickets and notices. */
export const MAILS = [...TICKETS, ...NOTICES] as const
type MailType = (typeof MAILS)[number]

const OURS = fileURLToPath(new URL('./templates', import.meta.url))
const NAME = /^([a-z]+\.[a-z_]+)\.[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\.(?:txt|html)$/
const HEAD = /^Subject: *(\S.*)\n\n/
const EVERYWHERE = ['product', 'time', 'network', 'account'] as const

/**
 * What a mail of that type may say. A verification goes to whoever's address somebody typed: it says nothing
 * that they typed beside it.
 */
export function placeholdersOf(type: MailType): readonly Placeholder[] {
  if (type === 'ticket.verification') return [...EVERYWHERE, 'link', 'code', 'validFor']
  if (type.startsWith('ticket.')) {
    return [...EVERYWHERE, 'name', 'link', 'code', 'validFor']
  }
  return [...EVERYWHERE, 'name']
}

/**
 * Reads the templates.
 *
 * @throws TemplateError with file and line for the first that can't be used; Error when the folder can't be
 * read
 */
export function openTemplates({
  templates: folder,
  locale,
}: TemplatesSettings): MailTemplates {
  const all = new Map([
    ...readFolder(OURS),
    ...(folder === undefined ? [] : readFolder(folder)),
  ])
  for (const type of MAILS) {
    if (!all.has(keyOf(type, locale))) {
      const file = join(folder ?? OURS, `${type}.${locale}.txt`)
      throw new TemplateError(file, 1, `to be there, as notify.mail.locale is ${locale}`)
    }
  }
  return {
    choose: (type, wanted) =>
      candidates(wanted, locale)
        .map(lang => all.get(keyOf(type, lang)))
        .find(found => found !== undefined),
  }
}

/** The language, shorter by a subtag each time, then the default one. */
function candidates(wanted: string | undefined, locale: string): string[] {
  const subtags = wanted?.split('-') ?? []
  const shorter = subtags.map((_, index) =>
    subtags.slice(0, subtags.length - index).join('-'),
  )
  return [...shorter, locale]
}

function keyOf(type: string, lang: string): string {
  return `${type} ${lang.toLowerCase()}`
}

/** The templates of a folder; what is hidden and README.md are none. */
function readFolder(folder: string): Array<[string, MailTemplate]> {
  const files = readdirSync(folder).filter(
    name => !name.startsWith('.') && name !== 'README.md',
  )
  for (const name of files) requireName(folder, name, files)
  return files
    .filter(name => name.endsWith('.txt'))
    .map(name => {
      const type = requireType(folder, name)
      const lang = name.slice(type.length + 1, -'.txt'.length)
      return [keyOf(type, lang), readTemplate(folder, { type, lang, files })]
    })
}

function requireName(folder: string, name: string, files: readonly string[]): void {
  requireType(folder, name)
  if (name.endsWith('.html') && !files.includes(textOf(name))) {
    throw new TemplateError(join(folder, name), 1, `the text of it, too: ${textOf(name)}`)
  }
}

function textOf(name: string): string {
  return name.replace(/html$/, 'txt')
}

function requireType(folder: string, name: string): MailType {
  const type = MAILS.find(each => each === NAME.exec(name)?.[1])
  if (type !== undefined) return type
  const expected = `a file named TYPE.LANGUAGE.txt or .html, where TYPE is one of ${MAILS.join(', ')}`
  throw new TemplateError(join(folder, name), 1, expected)
}

interface TemplateName {
  readonly type: MailType
  readonly lang: string
  readonly files: readonly string[]
}

function readTemplate(folder: string, { type, lang, files }: TemplateName): MailTemplate {
  const allowed = placeholdersOf(type)
  const file = join(folder, `${type}.${lang}.txt`)
  requireLanguage(file, lang)
  const whole = read(file)
  const [head, subject] = HEAD.exec(whole) ?? []
  if (head === undefined || subject === undefined) {
    throw new TemplateError(file, 1, 'Subject: and the subject, then an empty line')
  }
  const text = parseTemplate({
    file,
    text: whole.slice(head.length),
    firstLine: 3,
    allowed,
  })
  const htmlName = `${type}.${lang}.html`
  const htmlFile = join(folder, htmlName)
  const html = files.includes(htmlName)
    ? parseTemplate({ file: htmlFile, text: read(htmlFile), allowed })
    : undefined
  requireLink(file, type, text)
  if (html !== undefined) requireLink(htmlFile, type, html)
  return {
    lang,
    // Subjects are shown in lists, on locked screens, too: no ticket, no code, no name.
    subject: parseTemplate({ file, text: subject, allowed: ['product'] }),
    text,
    html,
  }
}

function requireLanguage(file: string, lang: string): void {
  try {
    Intl.getCanonicalLocales(lang)
  } catch {
    throw new TemplateError(
      file,
      1,
      `a language such as en or pt-BR in its name, not ${lang}`,
    )
  }
}

function requireLink(file: string, type: MailType, template: Template): void {
  if (type.startsWith('ticket.') && !says(template, 'link')) {
    throw new TemplateError(
      file,
      1,
      '{{link}} somewhere: without it nobody can use the ticket',
    )
  }
}

function read(file: string): string {
  return readFileSync(file, 'utf8').replaceAll('\r\n', '\n')
}
