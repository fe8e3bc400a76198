// A message goes out as a mail, of text and of HTML, in the language of whoever gets it. What it says comes
// from the operator's configuration and templates; what a stranger has typed is in no mail to an address that
// nobody proved to read.
import type { Clock } from '../../base/clock.ts'
import { DeliveryFailed, type Message, type Send } from '../delivery.ts'
import { escapeHtml, htmlOf } from './html.ts'
import type { PostMail, SmtpSettings } from './smtp.ts'
import { render, type Values } from './template.ts'
import type { MailTemplates } from './templates.ts'

/** What the configuration says of mails, as it is now. */
export interface MailSettings extends SmtpSettings {
  /** An address, or `Name <address>`. */
  readonly from: string
  readonly replyTo?: string | undefined
  readonly links: Links
}

/** Pages of the app, to which a ticket is appended as the fragment. */
export interface Links {
  readonly verification?: string | undefined
  readonly recovery?: string | undefined
  readonly invitation?: string | undefined
  /** Where users look after their account; it gets no ticket. */
  readonly account?: string | undefined
}

/** What mails are sent with. */
export interface MailOptions {
  readonly settings: () => MailSettings
  readonly templates: () => MailTemplates
  readonly post: PostMail
  readonly clock: Clock
}

const MINUTE_MS = 60_000

/** Makes the way out. */
export function createMail({ settings, templates, post, clock }: MailOptions): Send {
  return async function sendMail(message, signal) {
    const { email, type, locale } = message
    const template = templates().choose(type, locale)
    if (email === undefined || template === undefined) {
      throw new DeliveryFailed('there is no address, or no template', { isFinal: true })
    }
    const now = settings()
    const { lang } = template
    const from = readSender(now.from)
    const values = {
      ...valuesOf(message, now, { lang, now: clock() }),
      product: from.product,
    }
    const subject = oneLine(render(template.subject, values, oneLine))
    const text = render(template.text, values, oneLine)
    const html =
      template.html === undefined
        ? htmlOf(text, { values, lang, title: subject })
        : render(template.html, values, escapeHtml)
    await post(
      now,
      {
        id: message.id,
        at: message.at,
        from,
        replyTo: now.replyTo,
        to: email,
        subject,
        text,
        html,
        lang,
      },
      signal,
    )
  }
}

/** Reads `Name <address>`, or an address alone, whose domain is the name then. */
export function readSender(from: string): {
  readonly name: string
  readonly address: string
  readonly product: string
} {
  const [, name = '', address = from] = /^(.*) <(.*)>$/.exec(from) ?? []
  return { name, address, product: name || address.slice(address.lastIndexOf('@') + 1) }
}

function valuesOf(
  message: Message,
  { links }: MailSettings,
  { lang, now }: { readonly lang: string; readonly now: number },
): Values {
  const { ticket, network, type, at } = message
  return {
    time: timeOf(at, lang),
    ...(network !== undefined && { network }),
    ...(links.account !== undefined && { account: links.account }),
    ...(mayName(message) && { name: message.name }),
    ...(ticket !== undefined && {
      link: `${linkOf(type, links)}#${ticket.ticket}`,
      validFor: spanOf(ticket.expiresAt - now, lang),
      ...(ticket.code !== undefined && { code: ticket.code }),
    }),
  }
}

/**
 * Whether a mail says the name. Whoever signs up types one, and types an address that may be anybody's: only
 * who reads the address has chosen the name. An invitation's was chosen by the operator.
 */
function mayName({ type, isAddressProven }: Message): boolean {
  return isAddressProven || type === 'ticket.invitation'
}

function linkOf(type: string, links: Links): string {
  const [, purpose] = type.split('.')
  const link = Object.entries(links).find(([name]) => name === purpose)?.[1]
  if (link !== undefined) return link
  throw new DeliveryFailed(`notify.mail.links.${purpose} is missing`)
}

function timeOf(at: number, lang: string): string {
  const format = new Intl.DateTimeFormat(lang, {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  return `${format.format(at)} UTC`
}

function spanOf(ms: number, lang: string): string {
  const minutes = Math.max(1, Math.round(ms / MINUTE_MS))
  const isWholeHours = minutes % 60 === 0
  const format = new Intl.NumberFormat(lang, {
    style: 'unit',
    unit: isWholeHours ? 'hour' : 'minute',
    unitDisplay: 'long',
  })
  return format.format(isWholeHours ? minutes / 60 : minutes)
}

/** No value begins a line, a header or a paragraph of its own. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}
