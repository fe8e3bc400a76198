// Lets no connection that was given up be heard again. What was sent on it may still be under way: in the
// kernel, behind a network that was cut, or in a proxy. A rotation that arrives once the client has gone on
// by a new connection looks like an old token in a thief's hands, and would end the session. So the first
// thing that a new connection asks for is the end of the one before it.
import { Cluster, type Redis } from 'ioredis'
import { isReply } from './reasons.ts'

/** A connection as Redis knows it. */
interface Identity {
  readonly id: string
  readonly address: string
}

/** No connection has it. */
const NOBODY = Number.MAX_SAFE_INTEGER

/**
 * Makes every connection of the client end the one that it takes the place of, before anything else is sent
 * on it. To be called before it connects.
 */
export function fenceOff(client: Redis | Cluster): void {
  const last = new Map<string, Identity>()
  const attend = (node: Redis) => {
    node.on('ready', () => {
      replace(node, last).catch(() => {})
    })
  }
  if (client instanceof Cluster) client.on('+node', attend)
  else attend(client)
}

/**
 * Whether Redis lets us end connections; without that a cut network may log users out. Rejects when it
 * doesn't answer.
 */
export async function mayFenceOff(node: Redis): Promise<boolean> {
  try {
    await node.call('CLIENT', 'KILL', 'ID', NOBODY)
    return true
  } catch (error) {
    if (isReply(error)) return false
    throw error
  }
}

// Rejects when the connection breaks, or Redis doesn't allow it, which inspect.ts tells of.
async function replace(node: Redis, last: Map<string, Identity>): Promise<void> {
  const server = `${node.stream.remoteAddress} ${node.stream.remotePort}`
  const before = last.get(server)
  // Ids begin anew with each server process: the address makes sure that it is ours.
  const ended =
    before && node.call('CLIENT', 'KILL', 'ID', before.id, 'ADDR', before.address)
  const [info] = await Promise.all([node.call('CLIENT', 'INFO'), ended])
  last.set(server, identityOf(String(info)))
}

function identityOf(info: string): Identity {
  return {
    id: info.replace(/^id=(\d+) .*$/s, '$1'),
    address: info.replace(/^id=\d+ addr=(\S+) .*$/s, '$1'),
  }
}
