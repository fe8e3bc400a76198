// A message goes out as a signed POST of JSON to the app's own server, by Standard Webhooks 1.0.0.
// The app verifies the signature, answers 2xx at once, and sends mail or text messages as it likes.
// Anything but 2xx is a failure, a redirect too: it could lead anywhere, and the ticket with it.
import type { Clock } from '../base/clock.ts'
import type { PostForStatus } from '../clients/guarded-post.ts'
import { DeliveryFailed, type Message, type Send } from './delivery.ts'
import { signedHeaders } from '../base/webhook-signature.ts'

/** Where webhooks go, as configured now. */
export interface WebhookSettings {
  readonly url: string
  readonly secrets: readonly string[]
  /** Whether the address may be a private one. */
  readonly allowPrivate: boolean
  /** Which attributes of the account it says. */
  readonly attributes: readonly string[]
}

/** What webhooks are sent with. */
export interface WebhookOptions {
  readonly settings: () => WebhookSettings
  readonly post: PostForStatus
  readonly clock: Clock
}

/** Makes the way out. */
export function createWebhook({ settings, post, clock }: WebhookOptions): Send {
  return async function sendWebhook(message, signal) {
    const { url, secrets, allowPrivate, attributes } = settings()
    const body = JSON.stringify(bodyOf(message, attributes))
    const timestamp = Math.floor(clock() / 1000)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Latchkey',
      ...signedHeaders({ id: message.id, timestamp, body }, secrets),
    }
    const status = await post({ url, headers, body, allowPrivate, signal }).catch(
      (error: unknown) => {
        throw new DeliveryFailed(`no answer: ${reasonOf(error)}`)
      },
    )
    if (status < 200 || status > 299) throw new DeliveryFailed(`status ${status}`)
  }
}

/** The body: what isn't known is left out. */
function bodyOf(message: Message, attributes: readonly string[]) {
  const { type, at, sub, name, email, locale, network, sid, ticket } = message
  const known = attributes.filter(each => message.attributes[each] !== undefined)
  return {
    type,
    timestamp: new Date(at).toISOString(),
    data: {
      sub,
      name,
      email,
      locale,
      network,
      sid,
      ...(ticket !== undefined && {
        ticket: ticket.ticket,
        code: ticket.code,
        expiresAt: new Date(ticket.expiresAt).toISOString(),
      }),
      attributes: Object.fromEntries(known.map(each => [each, message.attributes[each]])),
    },
  }
}

/** The system's word for it, or the library's: never what was sent or answered. */
function reasonOf(error: unknown): string {
  const { name, code, message, cause } = Object(error)
  const words = [code, Object(cause).code, name === 'Error' ? message : name]
  return String(words.find(word => typeof word === 'string'))
}
