// Ports for servers that a test starts. They lie below those that the kernel gives to outgoing
// connections: one of these would take a port between our look and the start of the server. So would another
// suite: each that runs beside others has a range of its own, and no port is given twice.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

const LOWEST = 10_000
const HIGHEST = 32_000
const ATTEMPTS = 100
const RANGES = 16
const RANGE = Math.floor((HIGHEST - LOWEST) / RANGES)

/**
 * Where the range of this process begins. tap numbers what runs at the same time; other runs on this machine
 * begin elsewhere.
 */
const FIRST =
  LOWEST + RANGE * ((process.ppid + Number(process.env['TAP_JOB_ID'] ?? 0)) % RANGES)

const given = new Set<number>()

/** A loopback port that was free a moment ago. */
export const freePort = (): Promise<number> => freePorts(1)

/** A loopback port that was free a moment ago, as was the next one: development mode takes both. */
export const freePortPair = (): Promise<number> => freePorts(2)

async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = randomInt(FIRST, FIRST + RANGE - count)
    const ports = Array.from({ length: count }, (_, index) => first + index)
    if (ports.some(port => given.has(port))) continue
    for (const port of ports) given.add(port)
    const free = await Promise.all(ports.map(isFree))
    if (free.every(Boolean)) return first
  }
  throw new Error('no port')
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
