// What a release says to a registry that wants a token first, and what it refuses to sign with. The rest is
// tried on a real registry (release.tools.ts).
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findLogin } from '../../scripts/publishing/logins.ts'
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
    else if (method === 'DELETE') reply.writeHead(204).end()
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

/** A listener on loopback: what it was asked, with the login that came along. */
async function startListener(
  t: Test,
  answer: (reply: ServerResponse, method?: string) => void,
) {
  const asked: string[] = []
  const server = createServer(({ method, url = '', headers }, reply) => {
    asked.push(`${method} ${url.split('?')[0]} ${headers.authorization ?? 'no login'}`)
    answer(reply, method)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, host: `127.0.0.1:${port}` }
}

t.test('another host that takes the bytes gets them without the login', async t => {
  const elsewhere = await startListener(t, reply => {
    const realm = `http://${elsewhere.host}/token`
    reply.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end()
  })
  const { asked, host } = await startListener(t, (reply, method) => {
    const location = `http://${elsewhere.host}/upload`
    reply.writeHead(method === 'HEAD' ? 404 : 202, { location }).end()
  })
  const basic = btoa('user:pass')
  await t.rejects(openRepository(`${host}/a`, basic).putBlob(Buffer.from('x')), {
    message: `${host}: a was refused: 401`,
  })
  t.same(asked.at(-1), `POST /v2/a/blobs/uploads/ Basic ${basic}`)
  t.same(elsewhere.asked, ['PUT /upload no login'])
})

t.test('a login is not sent to a place for tokens without TLS', async t => {
  for (const realm of ['http://tokens.example/token', 'ftp://127.0.0.1/', 'token']) {
    const { host } = await startListener(t, reply => {
      reply.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end()
    })
    await t.rejects(openRepository(`${host}/a`, btoa('user:pass')).mayPush(), {
      message: `${host} wants the login at "${realm}", which is not https`,
    })
  }
})

t.test('whether a login may push is asked without pushing', async t => {
  const { asked, name } = await startRegistry(t)
  await openRepository(name, btoa('user:pass')).mayPush()
  t.same(asked.slice(2), [
    'POST /v2/team/a/blobs/uploads/',
    'DELETE /v2/team/a/blobs/uploads/1?state=x',
  ])
  await t.rejects(openRepository(name).mayPush(), { message: /is anybody logged in\?$/ })
})

t.test('a login is found where docker, buildah and helm leave it', async t => {
  const auth = btoa('user:pass')
  const text = (name: string) => JSON.stringify({ auths: { [name]: { auth } } })
  const places = {
    docker: { '.docker': { 'config.json': text('https://r.example/v1/') } },
    buildah: { run: { containers: { 'auth.json': text('r.example/team') } } },
    podman: { '.config': { containers: { 'auth.json': text('r.example') } } },
    helm: { '.config': { helm: { registry: { 'config.json': text('r.example') } } } },
    named: { 'one.json': text('r.example') },
    none: {},
  }
  const dir = t.testdir(places)
  for (const place of Object.keys(places)) {
    const HOME = join(dir, place)
    const env = { HOME, XDG_RUNTIME_DIR: join(HOME, 'run') }
    const only = place === 'named' ? { REGISTRY_AUTH_FILE: join(HOME, 'one.json') } : {}
    const { basic, files } = await findLogin('r.example/team/a', { ...env, ...only })
    t.equal(basic, place === 'none' ? undefined : auth, place)
    t.equal(files.length, place === 'none' ? 4 : 1)
    const other = await findLogin('r.example.com/team/a', { ...env, ...only })
    t.equal(other.basic, undefined, 'of that registry alone')
  }
})

t.test('Docker Hub has two names', async t => {
  const auth = btoa('user:pass')
  const HOME = t.testdir({
    '.docker': {
      'config.json': JSON.stringify({
        auths: { 'https://index.docker.io/v1/': { auth } },
      }),
    },
  })
  t.equal((await findLogin('docker.io/team/a', { HOME })).basic, auth)
})

t.test('a helper that keeps passwords is asked', async t => {
  const helper = (said: string) => `#!/bin/sh
[ "$1 $(cat)" = 'get r.example' ] || exit 1
echo '${said}'
`
  const dir = t.testdir({
    bin: {
      'docker-credential-good': helper('{"Username":"user","Secret":"pass"}'),
      'docker-credential-token': helper('{"Username":"<token>","Secret":"x"}'),
    },
    store: { 'config.json': '{"credsStore":"good","auths":{"r.example":{}}}' },
    own: { 'config.json': '{"credHelpers":{"r.example":"good","s.example":"good"}}' },
    token: { 'config.json': '{"credHelpers":{"r.example":"token"}}' },
    broken: { 'config.json': '{' },
  })
  for (const name of ['good', 'token']) {
    chmodSync(join(dir, `bin/docker-credential-${name}`), 0o755)
  }
  const find = async (place: string, host = 'r.example') => {
    const env = {
      DOCKER_CONFIG: join(dir, place),
      PATH: `${dir}/bin:${process.env['PATH']}`,
      HOME: dir,
    }
    return (await findLogin(host, env)).basic
  }
  t.equal(await find('store'), btoa('user:pass'))
  t.equal(await find('own'), btoa('user:pass'))
  t.equal(await find('store', 't.example'), undefined)
  await t.rejects(find('own', 's.example'), {
    message: 'docker-credential-good gave no login for s.example',
  })
  await t.rejects(find('token'), { message: /log in with name and password$/ })
  await t.rejects(find('broken'), { message: /broken\/config\.json is no JSON$/ })
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
