// A redis-server that the world knows by the port of a proxy before it, which holds back what goes to its
// replicas. When both are killed together, what was on its way to them is lost: a plain `kill -9` on loopback
// loses nothing, the kernel delivers what is in the socket.
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'
import { startProxy } from './fault-proxy.ts'
import { type NodeOptions, type RedisNode, startNode } from './redis-node.ts'

/** How far replicas are behind. */
export const BEHIND_MS = 50

export interface DelayedNode extends Pick<RedisNode, 'admin' | 'signal'> {
  /** The proxy's: what clients, replicas and sentinels know. */
  readonly port: number
  /** Kills the server and its proxy at once, and what is on its way with them. */
  fall(): Promise<void>
  /** Starts both again, with further arguments where they are given. */
  rise(more?: readonly string[]): Promise<void>
}

/** Starts one; `args` is told the proxy's port, which the server has to announce. It ends with the test. */
export async function startDelayedNode(
  t: Test,
  args: (port: number) => readonly string[],
  options: NodeOptions = {},
): Promise<DelayedNode> {
  const own = await freePort()
  const proxy = await startProxy(own, { delayMs: BEHIND_MS, delayedOnly: 'PSYNC' })
  t.teardown(() => proxy.close())
  const { admin, signal, kill, start } = await startNode(t, {
    ...options,
    port: own,
    args: args(proxy.port),
  })
  return {
    admin,
    signal,
    port: proxy.port,
    async fall() {
      const killed = kill()
      await proxy.refuse()
      await killed
    },
    async rise(more) {
      await start(more)
      await proxy.accept()
    },
  }
}
