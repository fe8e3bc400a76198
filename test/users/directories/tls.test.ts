// An app and a PostgreSQL whose certificate is by an authority that nobody trusts, or for another name: no
// login has an answer, and nothing is sent to them. ldap-directory.test.ts has the same of an LDAP server.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { DirectorySettings } from '../../../src/users/directory/open.ts'
import { buildTestApp } from '../../support/app.ts'
import { LDAP_CA } from '../../support/ldap.ts'
import { appDirectory } from '../../support/user-app.ts'

const TLS = join(import.meta.dirname, '../../support/tls')
const PAIR = {
  key: readFileSync(join(TLS, 'server-key.pem')),
  cert: readFileSync(join(TLS, 'server.pem')),
}

/** A server by TLS that answers nothing; `greet` is what comes before TLS. */
async function startTls(t: Test, greet: (socket: Socket) => Promise<void>) {
  const heard: Buffer[] = []
  const open = new Set<Socket>()
  const server: Server = createServer(async socket => {
    open.add(socket)
    socket.on('error', () => {})
    await greet(socket)
    new TLSSocket(socket, { isServer: true, ...PAIR })
      .on('error', () => {})
      .on('data', (chunk: Buffer) => heard.push(chunk))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' ? Number(address?.port) : 0
  return { port, heard, accepted: () => open.size }
}

/** PostgreSQL's SSLRequest, and its yes. */
async function agree(socket: Socket): Promise<void> {
  await once(socket, 'data')
  socket.write('S')
}

const postgres = (port: number, caFile: string): DirectorySettings => ({
  type: 'sql',
  name: 'shop',
  url: `postgres://reader:secret@127.0.0.1:${port}/shop`,
  query: 'SELECT 1',
  plaintext: false,
  connections: 2,
  timeout: 10_000,
  maxInFlight: 8,
  migrate: 'none',
  sub: 'own',
  caFile,
})

for (const { name, greet, settings } of [
  {
    name: 'an app of another authority',
    greet: async () => {},
    settings: (port: number) =>
      appDirectory({ url: `https://127.0.0.1:${port}` } as never, { timeout: 10_000 }),
  },
  {
    name: 'a PostgreSQL of another authority',
    greet: agree,
    settings: (port: number) => postgres(port, join(TLS, 'client.pem')),
  },
  {
    name: 'a PostgreSQL of another name',
    greet: agree,
    settings: (port: number) => postgres(port, LDAP_CA),
  },
]) {
  t.test(name, async t => {
    const { port, heard, accepted } = await startTls(t, greet)
    const test = await buildTestApp({ directories: [settings(port)] })
    t.teardown(async () => {
      await test.elsewhere?.close()
      await test.close()
    })
    const answer = await test.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'ann',
      password: 'not for them',
    })
    t.match(answer, { statusCode: 503, headers: { 'retry-after': '2' } })
    t.ok(accepted() > 0, 'it was connected to')
    t.same(heard, [], 'and heard nothing')
  })
}
