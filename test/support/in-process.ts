// The whole server in the test's own process, as main.ts starts it.
import type { Test } from 'tap'
import { decodeConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { startServer, type RunningServer, type ServerOptions } from '../../src/server.ts'
import { SECRET } from './command-line.ts'
import { CHEAP_HASHING, CLIENTS } from './server.ts'

const IN_MEMORY = 'sqlite::memory:'

/** A configuration for ports that are free. A store in memory is refused elsewhere; a test may have one. */
export function configOf(storeUrl: string, more: object = {}): Config {
  const config = decodeConfig({
    issuer: 'http://127.0.0.1',
    http: { host: '127.0.0.1', port: 0 },
    management: { host: '127.0.0.1', port: 0 },
    store: { url: storeUrl === IN_MEMORY ? 'sqlite:unused.db' : storeUrl },
    secrets: [SECRET],
    passwords: { ...CHEAP_HASHING, maxWait: '60s' },
    clients: CLIENTS,
    ...more,
  })
  return storeUrl === IN_MEMORY
    ? { ...config, store: { ...config.store, url: IN_MEMORY } }
    : config
}

/** Starts a server that ends with the test; `lines` are what it logs. */
export async function startInProcess(
  t: Test,
  options: Pick<ServerOptions, 'config' | 'traces' | 'otlp'>,
): Promise<RunningServer & { readonly lines: string[] }> {
  const lines: string[] = []
  const server = await startServer({
    ...options,
    logStream: {
      write: line => {
        lines.push(line)
      },
    },
  })
  t.teardown(() => server.close())
  return { ...server, lines }
}
