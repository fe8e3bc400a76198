// What a release says to a registry that wants a token first, and what it refuses to sign with. The rest is
// tried on a real registry (release.tools.ts).
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { openRepository } from '../../scripts/publishing/oci.ts'
import { readKey, statementOf } from '../../scripts/publishing/statements.ts'

/** A registry that gives tokens to whoever is logged in as `user:pass`, and keeps what it is asked. */
async function startRegistry(t: Test) {
  const asked: string[] = []
  const server = createServer((request, reply) => {
    const { method, url = '', headers } = request
    asked.push(`${method} ${url}`)
    request.resume()
    if (url.startsWith('/token')) {
      const isKnown = headers.authorization === `Basic ${btoa('user:pass')}`
      reply.writeHead(isKnown ? 200 : 403).end('{"token":"t1"}')
    } else if (headers.authorization !== 'Bearer t1') {
      const realm = `http://127.0.0.1:${port}/token`
      const challenge = `Bearer realm="${realm}",service="s",scope="repository:a:push"`
      reply.writeHead(401, { 'www-authenticate': challenge }).end()
    } else if (method === 'HEAD') reply.writeHead(404).end()
    else if (method === 'POST') {
      reply.writeHead(202, { location: '/v2/team/a/blobs/uploads/1?state=x' }).end()
    } else reply.writeHead(url.includes('bad') ? 400 : 201).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, name: `127.0.0.1:${port}/team/a` }
}

t.test('a token is asked for once, with the login that is there', async t => {
  const { asked, name } = await startRegistry(t)
  const repository = openRepository(name, btoa('user:pass'))
  await repository.putBlob(Buffer.from('x'))
  await repository.putManifest('1.0', 'application/json', Buffer.from('{}'))
  const digest = 'sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'
  t.same(asked, [
    `HEAD /v2/team/a/blobs/${digest}`,
    'GET /token?service=s&scope=repository%3Aa%3Apush',
    `HEAD /v2/team/a/blobs/${digest}`,
    'POST /v2/team/a/blobs/uploads/',
    `PUT /v2/team/a/blobs/uploads/1?state=x&digest=${encodeURIComponent(digest)}`,
    'PUT /v2/team/a/manifests/1.0',
  ])
  await t.rejects(repository.putManifest('bad', 'application/json', Buffer.from('{}')), {
    message: /^127\.0\.0\.1:\d+: team\/a was refused: 400$/,
  })
})

t.test('without a login it says so', async t => {
  const { name } = await startRegistry(t)
  await t.rejects(openRepository(name).putBlob(Buffer.from('x')), {
    message: /gave no token: 403; is anybody logged in\?$/,
  })
})

t.test('a key of another kind is refused, and says which is wanted', async t => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  t.throws(() => readKey(pem), /an EC key on P-256/)
  t.throws(() => readKey('none'))
  t.match(statementOf([{ name: 'a', digest: 'sha256:ff' }], 'type', {}), {
    subject: [{ name: 'a', digest: { sha256: 'ff' } }],
  })
})
