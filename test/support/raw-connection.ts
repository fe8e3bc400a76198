// A connection in plain bytes, for what no HTTP client would send, or not in that order.
import { once } from 'node:events'
import { connect } from 'node:net'

export interface RawConnection {
  /** Resolves when the connection has ended, by whatever means, with performance.now. */
  readonly closed: Promise<number>
  send(text: string): void
  /** Goes away without a word. */
  destroy(): void
  /** Goes away by a reset, as an app does that cancels its request. */
  reset(): void
  /** Takes nothing any more of what comes. */
  stopReading(): void
  /** All that came so far. */
  text(): string
  /** What came so far; no status: nothing did. */
  answer(): {
    readonly status: number
    readonly headers: readonly string[]
    readonly body: any
  }
}

/** Connects, and sends a first text. `from`: one of the loopback addresses. */
export async function openRaw(
  { port, from = '127.0.0.1' }: { readonly port: number; readonly from?: string },
  first = '',
): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  let text = ''
  socket
    .setEncoding('utf8')
    .on('data', more => {
      text += more
    })
    .on('error', () => {})
  const closed = new Promise<number>(resolve => {
    socket.once('close', () => resolve(performance.now()))
  })
  await once(socket, 'connect')
  socket.write(first)
  return {
    closed,
    send: more => {
      socket.write(more)
    },
    destroy: () => {
      socket.destroy()
    },
    reset: () => {
      socket.resetAndDestroy()
    },
    stopReading: () => {
      socket.pause()
    },
    text: () => text,
    answer() {
      // An interim answer (100) is the answer until the other one comes.
      const [head = '', body = ''] = text
        .replace(/^HTTP\/1\.1 1\d\d [^]*?\r\n\r\n(?=.)/, '')
        .split('\r\n\r\n')
      const [status = '', ...headers] = head.toLowerCase().split('\r\n')
      return {
        status: Number(status.split(' ')[1]),
        headers,
        body: body === '' ? undefined : JSON.parse(body),
      }
    },
  }
}
