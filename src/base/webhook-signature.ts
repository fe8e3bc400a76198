// The signature of a webhook by Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body, so that nobody
// can change one of them, or send the whole again later.
import { createHmac } from 'node:crypto'

/** What is signed. */
export interface SignedContent {
  /** The same for every try. */
  readonly id: string
  /** Of this try, in seconds since the Unix epoch. */
  readonly timestamp: number
  readonly body: string
}

/**
 * The three headers of a signed webhook.
 *
 * @param secrets base64, `whsec_` before it or not; each of them signs, so that the receiver may know either
 */
export function signedHeaders(
  { id, timestamp, body }: SignedContent,
  secrets: readonly string[],
): Record<string, string> {
  const content = `${id}.${timestamp}.${body}`
  const signatures = secrets.map(secret => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    return `v1,${createHmac('sha256', key).update(content).digest('base64')}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  }
}
