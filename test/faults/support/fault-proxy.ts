// A TCP proxy that does to a connection what networks do: wait, lose an answer, break off, go silent.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** What the proxy does; each key may be changed while it runs. */
export interface Behaviour {
  /** How long what the server says is held back. */
  delayMs: number
  /** Holds back only connections whose client has said this: a replica's `PSYNC`. */
  delayedOnly: string | undefined
  /**
   * Every so many answers one is swallowed, after the server has done what it was asked for, and its
   * connection breaks; 0: none is.
   */
  dropEvery: number
  /** What begins an answer: a piece of data that starts so. */
  answer: string
  /** After how many bytes, in either direction, a new connection breaks. */
  cutAfter: () => number
  /**
   * Silent: what is sent, in either direction, is lost, and nobody is told. What was silent once stays so
   * when this ends.
   */
  silent: boolean
}

export interface FaultProxy extends Behaviour {
  readonly port: number
  /** How many answers were swallowed. */
  readonly dropped: number
  /** How many connections were broken by `cutAfter`. */
  readonly cuts: number
  /** How many connections there were so far. */
  readonly accepted: number
  /** Breaks every connection; what is on its way is lost. */
  cut(): void
  /** Breaks every connection and refuses new ones. */
  refuse(): Promise<void>
  /** Takes connections again. */
  accept(): Promise<void>
  close(): Promise<void>
}

/** Starts a proxy before a loopback port. It does nothing until it is told to. */
export async function startProxy(
  target: number,
  behaviour: Partial<Behaviour> = {},
): Promise<FaultProxy> {
  const open = new Set<Socket>()
  let server = createServer(serve)
  let port = 0
  let answers = 0
  const counts = { dropped: 0, cuts: 0, accepted: 0 }
  const now: Behaviour = {
    delayMs: 0,
    delayedOnly: undefined,
    dropEvery: 0,
    answer: '',
    cutAfter: () => Infinity,
    silent: false,
    ...behaviour,
  }

  function serve(near: Socket): void {
    counts.accepted += 1
    const far = connect(target, '127.0.0.1')
    let [silent, left, said] = [now.silent, now.cutAfter(), now.delayedOnly === undefined]
    const pair = [near, far]
    const end = () => {
      for (const socket of pair) socket.destroy()
    }
    const passes = (bytes: number) => {
      silent ||= now.silent
      left -= bytes
      if (left <= 0 && !near.destroyed) {
        counts.cuts += 1
        end()
      }
      return !silent && !near.destroyed
    }
    for (const socket of pair) {
      open.add(socket)
      // Half of a silent connection may end without the other being told.
      socket
        .setNoDelay(true)
        .on('error', () => {})
        .once('close', () => {
          open.delete(socket)
          if (!silent && !now.silent) end()
        })
    }
    const later = inOrder(
      () => (said ? now.delayMs : 0),
      chunk => near.write(chunk),
    )
    near.on('data', chunk => {
      if (!said && chunk.includes(String(now.delayedOnly))) said = true
      if (passes(chunk.length)) far.write(chunk)
    })
    far.on('data', chunk => {
      if (!passes(chunk.length)) return
      if (now.dropEvery === 0 || !chunk.toString('latin1').startsWith(now.answer)) {
        return later(chunk)
      }
      answers += 1
      if (answers % now.dropEvery !== 0) return later(chunk)
      counts.dropped += 1
      end()
    })
  }

  function cut(): void {
    for (const socket of open) socket.destroy()
  }

  async function accept(): Promise<void> {
    server = createServer(serve).listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address !== null && typeof address === 'object') port = address.port
  }

  async function refuse(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  }

  await accept()
  return Object.defineProperties(
    now as FaultProxy,
    Object.getOwnPropertyDescriptors({
      port,
      get dropped() {
        return counts.dropped
      },
      get cuts() {
        return counts.cuts
      },
      get accepted() {
        return counts.accepted
      },
      cut,
      accept,
      refuse,
      close: refuse,
    }),
  )
}

/** Writes each piece after its delay, never before an earlier one. */
function inOrder(
  delayMs: () => number,
  write: (chunk: Buffer) => void,
): (chunk: Buffer) => void {
  let last = Promise.resolve()
  return chunk => {
    const due = performance.now() + delayMs()
    last = last.then(async () => {
      const ms = due - performance.now()
      if (ms > 0) await wait(ms)
      write(chunk)
    })
  }
}
