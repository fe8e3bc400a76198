// Ports for servers that a test starts.
import { once } from 'node:events'
import { createServer } from 'node:net'

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A loopback port that was free a moment ago, as was the next one: development mode takes both. */
export async function freePortPair(attempts = 20): Promise<number> {
  const port = await freePort()
  const next = createServer().listen(port + 1, '127.0.0.1')
  const free = await Promise.race([
    once(next, 'listening').then(() => true),
    once(next, 'error').then(() => false),
  ])
  if (free) {
    next.close()
    await once(next, 'close')
    return port
  }
  if (attempts === 0) throw new Error('no two ports')
  return freePortPair(attempts - 1)
}
