// A network of its own for a process, with one cable to Redis and another to its clients: so that one can be
// cut without the other.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'

export interface Namespace {
  /** Runs a command in it. */
  readonly within: readonly string[]
  /** The process' address for its clients. */
  readonly host: string
  /** Where Redis has to listen, for the process to reach it. */
  readonly redisHost: string
  /**
   * Pulls the cable to Redis, or plugs it in: the interface at Redis' end goes down, and whatever is sent is
   * lost.
   */
  plug(isIn: boolean): void
  /** Makes Redis' network unreachable for the process by a route that refuses, or reachable again. */
  route(isThere: boolean): void
}

const NAME = /^latchkey-(\d+)\b/

const ip = (...args: readonly string[]) =>
  execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Makes the namespace; it takes root. It ends with the test, or when this process does. */
export async function createNamespace(t: Test): Promise<Namespace> {
  removeAbandoned()
  const name = `latchkey-${process.pid}`
  ip('netns', 'add', name)
  const cables: Cable[] = []
  const remove = () => {
    // The kernel takes its time with those of a namespace that went.
    for (const { device } of cables) ip('link', 'del', device)
    ip('netns', 'del', name)
  }
  process.once('exit', remove)
  t.teardown(() => {
    process.removeListener('exit', remove)
    remove()
  })
  const [redis, clients] = [lay(name, 'r', 0), lay(name, 'c', 4)]
  cables.push(redis, clients)
  ip('-n', name, 'link', 'set', 'lo', 'up')
  // Until both ends have seen each other.
  await wait(200)
  return {
    within: ['ip', 'netns', 'exec', name],
    host: clients.inner,
    redisHost: redis.outer,
    plug(isIn) {
      ip('link', 'set', redis.device, isIn ? 'up' : 'down')
    },
    route(isThere) {
      ip('-n', name, 'route', isThere ? 'del' : 'add', 'blackhole', `${redis.outer}/32`)
    },
  }
}

/** Its device out here, and the addresses of both ends. */
interface Cable {
  readonly device: string
  readonly outer: string
  readonly inner: string
}

function lay(name: string, to: string, offset: number): Cable {
  const device = `lk${process.pid}${to}`
  // 198.18.0.0/15 is set aside for tests of networks (RFC 2544): nobody is reached by it.
  const [outer, inner] = [1, 2].map(end => `198.18.${process.pid % 256}.${offset + end}`)
  ip('link', 'add', device, 'type', 'veth', 'peer', 'name', to, 'netns', name)
  ip('addr', 'add', `${outer}/30`, 'dev', device)
  ip('-n', name, 'addr', 'add', `${inner}/30`, 'dev', to)
  ip('link', 'set', device, 'up')
  ip('-n', name, 'link', 'set', to, 'up')
  return { device, outer: String(outer), inner: String(inner) }
}

/**
 * A test that was killed can't clean up after itself: the next one does. A namespace takes its cables along.
 */
function removeAbandoned(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [, pid] = NAME.exec(line) ?? []
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      ip('netns', 'del', `latchkey-${pid}`)
    }
  }
}
