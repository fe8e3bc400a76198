// The configuration of an example that runs Latchkey, with this machine's files and ports in the place of the
// documented ones: started as documented, then asked for a token.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { runWell } from '../deploy/support/commands.ts'
import { freePortPair } from './free-port.ts'
import { postForm, runNode } from './server.ts'

const BIN = new URL('../../bin/latchkey.js', import.meta.url).pathname

/** What stands in the example, and what takes its place. */
export type Replaced = readonly (readonly [documented: string, here: string])[]

/** Replaces each text; one that isn't there is an error, so that an example can't drift from its test. */
export function replaceAll(text: string, replaced: Replaced): string {
  return replaced.reduce((whole, [documented, here]) => {
    if (!whole.includes(documented)) throw new Error(`nowhere: ${documented}`)
    return whole.replaceAll(documented, here)
  }, text)
}

/**
 * Checks the configuration with `config check`, adds a user as the example's README does, and gets a token of
 * a server that runs on it.
 *
 * @param example the folder's name below examples/
 * @param dir where the configuration is written
 */
export async function checkExampleConfig(
  t: Test,
  example: string,
  { dir, replaced }: { readonly dir: string; readonly replaced: Replaced },
): Promise<void> {
  const port = await freePortPair()
  const documented = new URL(`../../examples/${example}/latchkey.yaml`, import.meta.url)
  const config = join(dir, 'latchkey.yaml')
  const ports = `http: { port: ${port}, `
  await writeFile(
    config,
    `${replaceAll(await readFile(documented, 'utf8'), [['http: { ', ports], ...replaced])}
management: { host: 127.0.0.1, port: ${port + 1} }
`.replace(/^management: \{ host: 127\.0\.0\.1 \}\n/m, ''),
  )
  const env = { LATCHKEY_CONFIG: config }
  const run = { env: { ...process.env, ...env }, cwd: dir }
  t.match(
    await runWell(process.execPath, [BIN, 'config', 'check'], run),
    /: right, 1 client, (?:the store takes writes|a start makes the store)/,
  )
  await runWell(process.execPath, [BIN, 'users', 'add', 'alice', '--scopes', 'profile'], {
    ...run,
    input: 'correct horse battery',
  })
  const server = runNode([BIN, 'serve'], env, dir)
  t.teardown(() => server.stop())
  await server.logged(/Server listening at http:\/\/127\.0\.0\.1:\d+/)
  const { status, body } = await postForm(`http://127.0.0.1:${port}/token`, {
    grant_type: 'password',
    client_id: 'web',
    username: 'alice',
    password: 'correct horse battery',
  })
  t.equal(status, 200, JSON.stringify(body['error'] ?? 'a token'))
}
