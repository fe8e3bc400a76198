// A server that is killed and started again where it was: its clients see one address.
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'
import type { LatchkeyOptions, LatchkeyProcess } from '../../support/server.ts'
import { startServers } from './load.ts'

export interface Killable {
  readonly url: string
  /** Every process so far, the newest last. */
  readonly processes: readonly LatchkeyProcess[]
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>
  /** Starts it again; resolves when it is ready. */
  start(): Promise<void>
}

/** Starts a server on ports that stay its own. It ends with the test. */
export async function startKillable(
  t: Test,
  options: LatchkeyOptions,
): Promise<Killable> {
  const ports = { http: await freePort(), management: await freePort() }
  const processes: LatchkeyProcess[] = []
  const start = async () => {
    processes.push(...(await startServers(t, 1, { ...options, ports })))
  }
  await start()
  return {
    url: `http://127.0.0.1:${ports.http}`,
    processes,
    start,
    async kill() {
      processes.at(-1)?.signal('SIGKILL')
      await processes.at(-1)?.stop()
    },
  }
}
