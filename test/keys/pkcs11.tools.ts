// keys.pkcs11 with a real token: SoftHSM holds the key, Latchkey's process signs in it, jose verifies through
// JWKS.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { runChild } from '../support/children.ts'
import { login, ORDERS, postForm, startLatchkey, STORES } from '../support/server.ts'

const MODULE = '/usr/lib/softhsm/libsofthsm2.so'
const PIN = '1234'

/** Runs a tool; says which package brings it when there is none. */
async function tool(
  command: string,
  args: string[],
  env: Record<string, string>,
  hint: string,
): Promise<void> {
  // Without the loaders that the test runner gives to every Node.
  const { NODE_OPTIONS, ...inherited } = process.env
  await runChild(command, args, { env: { ...inherited, ...env } }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw cause.code === 'ENOENT'
        ? new Error(`${command} is not on the PATH: ${hint}`, { cause })
        : cause
    },
  )
}

// As its users do: the driver is compiled, and stands beside Latchkey.
const beside = mkdtempSync(join(tmpdir(), 'latchkey-pkcs11js-'))
t.teardown(() => rmSync(beside, { recursive: true }))
writeFileSync(join(beside, 'package.json'), '{"private":true}')
await tool(
  'npm',
  ['install', '--prefix', beside, '--no-progress', 'pkcs11js@2.1.7'],
  {},
  'install npm',
)
const driver = join(beside, 'node_modules/pkcs11js/index.js')

for (const [alg, keyType] of [
  ['ES256', 'EC:prime256v1'],
  ['RS256', 'RSA:2048'],
] as const) {
  t.test(`${alg} signs in SoftHSM`, { timeout: 300_000 }, async t => {
    const dir = t.testdir({})
    const env = { SOFTHSM2_CONF: join(dir, 'softhsm2.conf') }
    mkdirSync(join(dir, 'tokens'))
    writeFileSync(env.SOFTHSM2_CONF, `directories.tokendir = ${join(dir, 'tokens')}\n`)
    await tool(
      'softhsm2-util',
      [
        '--init-token',
        '--free',
        '--label',
        'latchkey',
        '--so-pin',
        '12345678',
        '--pin',
        PIN,
      ],
      env,
      'apt-get install softhsm2',
    )
    await tool(
      'pkcs11-tool',
      [
        '--module',
        MODULE,
        '--login',
        '--pin',
        PIN,
        '--token-label',
        'latchkey',
        '--keypairgen',
        '--key-type',
        keyType,
        '--id',
        '01',
        '--label',
        '2026-11',
      ],
      env,
      'apt-get install opensc',
    )
    const [sqlite] = STORES
    if (sqlite === undefined) throw new Error('no store')
    const store = await sqlite.make()
    t.teardown(() => store.remove())
    const pkcs11 = {
      module: MODULE,
      token: 'latchkey',
      pin: PIN,
      driver,
    }
    const server = await startLatchkey({
      storeUrl: store.url,
      env,
      config: { tokens: { algorithm: alg }, keys: { pkcs11 } },
    })
    t.teardown(() => server.stop())

    const { access_token: token, refresh_token: refreshToken } = await login(server)
    const { protectedHeader } = await jwtVerify(
      token,
      createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`)),
      { issuer: server.url, audience: ORDERS, typ: 'at+jwt' },
    )
    t.equal(protectedHeader.alg, alg)
    t.equal(
      (
        await postForm(`${server.url}/token`, {
          grant_type: 'refresh_token',
          client_id: 'mobile',
          refresh_token: refreshToken,
        })
      ).status,
      200,
    )
    t.equal(
      (
        await fetch(`${server.url}/userinfo`, {
          headers: { authorization: `Bearer ${token}` },
        })
      ).status,
      200,
    )
    t.notOk(
      server.lines.some(line => line.includes(PIN) && line.includes('pin')),
      'the PIN is told nowhere',
    )
  })
}
