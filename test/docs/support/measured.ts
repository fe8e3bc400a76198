// What /metrics shows of a server that has logged somebody in.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { login, postForm, startLatchkey } from '../../support/server.ts'

/** Starts a server, has it do some work, and gives what it shows. */
export async function startMeasured(): Promise<{
  readonly shown: string
  stop(): Promise<void>
}> {
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-metrics-'))
  const latchkey = await startLatchkey({
    storeUrl: `sqlite:${join(directory, 'latchkey.db')}`,
  })
  const { refresh_token: token } = await login(latchkey)
  await postForm(`${latchkey.url}/token`, {
    grant_type: 'refresh_token',
    client_id: 'mobile',
    refresh_token: token,
  })
  const shown = await (await fetch(`${latchkey.managementUrl}/metrics`)).text()
  return {
    shown,
    async stop() {
      await latchkey.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
