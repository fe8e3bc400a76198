// A webhook that a test holds in its hand.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Message } from '../../src/outbox/delivery.ts'

/** A request that the webhook took. */
export interface Hook {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A webhook on loopback. */
export interface Receiver {
  readonly url: string
  readonly hooks: Hook[]
  /** How it answers; change it to see what the sender makes of it. */
  answer: (response: ServerResponse, hook: Hook) => void
}

/** Starts a webhook, which answers 204. */
export async function receiver(t: Test): Promise<Receiver> {
  const hooks: Hook[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const hook = { headers: request.headers, body: Buffer.concat(parts).toString() }
      hooks.push(hook)
      made.answer(response, hook)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const made: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    hooks,
    answer: response => {
      response.writeHead(204).end()
    },
  }
  return made
}

/** A message with everything in it. */
export function someMessage(changes: Partial<Message> = {}): Message {
  return {
    id: 'msg_1',
    type: 'ticket.recovery',
    at: Date.UTC(2026, 10, 29, 4, 0, 0),
    sub: 'sub-of-alice',
    name: 'alice',
    email: 'alice@example.com',
    locale: 'de',
    isAddressProven: true,
    network: '192.0.2.0/24',
    sid: undefined,
    ticket: {
      ticket: 'tk_canary',
      code: '12345678',
      expiresAt: Date.UTC(2026, 10, 29, 4, 30, 0),
    },
    attributes: { email: 'alice@example.com', tenant: 'acme', plan: 'free' },
    ...changes,
  }
}
