// A sentinel that says what the test wants to hear; a real one tells of real failovers alone.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface FakeSentinel {
  readonly port: number
  /** How many listen to failovers. */
  listeners(): number
  /** Tells of a failover: `NAME OLD-HOST OLD-PORT HOST PORT`. */
  tell(text: string): void
}

const CHANNEL = '+switch-master'

/** Starts one that names a primary on loopback. It ends with the test. */
export async function startFakeSentinel(
  t: Test,
  primaryPort: number,
): Promise<FakeSentinel> {
  const [open, listening] = [new Set<Socket>(), new Set<Socket>()]

  function answer(socket: Socket, [name = '', what = '']: readonly string[]): string {
    const command = name.toLowerCase()
    if (what === 'get-master-addr-by-name') return list('127.0.0.1', String(primaryPort))
    if (command === 'sentinel') return list()
    // An old one, that has no RESP 3: what it tells comes as plain lists.
    if (command === 'hello') return "-ERR unknown command 'hello'\r\n"
    if (command !== 'subscribe') return '+OK\r\n'
    listening.add(socket)
    return `*3\r\n${bulk('subscribe')}${bulk(CHANNEL)}:1\r\n`
  }

  const server = createServer(socket => {
    open.add(socket)
    socket
      .on('error', () => {})
      .on('close', () => {
        listening.delete(socket)
      })
    socket.on('data', chunk => {
      for (const command of commandsIn(String(chunk))) {
        socket.write(answer(socket, command))
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return {
    port: Object(server.address()).port,
    listeners: () => listening.size,
    tell(text) {
      for (const socket of listening) socket.write(list('message', CHANNEL, text))
    },
  }
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const list = (...items: readonly string[]) =>
  `*${items.length}\r\n${items.map(bulk).join('')}`

/** The commands in a piece of RESP; a driver's greeting comes in whole pieces. */
function commandsIn(text: string): string[][] {
  return [...text.matchAll(/\*\d+\r\n(?<items>(?:\$\d+\r\n[^\r\n]*\r\n)+)/g)].map(
    ({ groups }) =>
      [...String(groups?.['items']).matchAll(/\$\d+\r\n(?<item>[^\r\n]*)\r\n/g)].map(
        found => String(found.groups?.['item']),
      ),
  )
}
