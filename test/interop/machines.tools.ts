// Machines in Python, Go and Java: the client credentials grant by software that nobody here wrote, against
// the real process on both stores.
import { join } from 'node:path'
import { decodeJwt, exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import t, { type Test } from 'tap'
import { runChild } from '../support/children.ts'
import { proves } from '../support/interop.ts'
import { machines, SCOPE } from '../support/machines.ts'
import { PROGRAMS } from '../support/programs.ts'
import { python, runPython } from '../support/python.ts'
import { ORDERS, startLatchkey, STORES } from '../support/server.ts'
import { buildProgram } from '../support/toolchain.ts'

// As `latchkey clients secret` makes them: not all of these form-encode what they send by Basic (RFC 6749
// §2.3.1).
const SECRET = 'Vx3-0hZ2kq_7bJr9'.repeat(3).slice(0, 43)
const NARROW = 'orders:read'

const interpreter = await python()
const go = await buildProgram(PROGRAMS.goMachine)
const spring = await buildProgram(PROGRAMS.spring)

const pair = await generateKeyPair('ES256', { extractable: true })
const key = async (half: 'publicKey' | 'privateKey') => ({
  ...(await exportJWK(pair[half])),
  alg: 'ES256',
  kid: 'machine-key',
})

/** The program's lines, each split at its blanks. */
async function linesOf(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string[][]> {
  const { PATH } = process.env
  const { stdout } = await runChild(command, [...args], {
    env: { PATH, ...env },
    timeout: 120_000,
  })
  return stdout
    .trim()
    .split('\n')
    .map(line => line.split(' '))
}

function isOwnToken(t: Test, token: unknown, id: string, scope = NARROW): void {
  const { sub, client_id: client, aud, scope: held, sid } = decodeJwt(String(token))
  t.same([sub, client, aud, held, sid], [id, id, ORDERS, scope, undefined])
}

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const server = await startLatchkey({
      storeUrl: store.url,
      config: { clients: machines(SECRET, await key('publicKey')) },
      addUser: false,
    })
    t.teardown(() => server.stop())
    const env = {
      LATCHKEY_URL: server.url,
      CLIENT_ID: 'machine',
      CLIENT_SECRET: SECRET,
      SIGNER_ID: 'signing-machine',
      SIGNER_KEY: JSON.stringify(await key('privateKey')),
      SIGNER_PEM: await exportPKCS8(pair.privateKey),
      OAUTHLIB_INSECURE_TRANSPORT: '1',
      AUTHLIB_INSECURE_TRANSPORT: '1',
    }

    t.test('requests-oauthlib and Authlib', async t => {
      proves(t, 'requests-oauthlib', 'client_credentials')
      proves(t, 'Authlib', 'client_credentials', 'private_key_jwt')
      const script = 'test/interop/python/machines.py'
      const { oauthlib, authlib } = await runPython(interpreter, script, env)
      const { access_token: plain, ...rest } = oauthlib.basic
      isOwnToken(t, plain, 'machine')
      t.same(rest, { token_type: 'Bearer', expires_in: 600, scope: [NARROW] })
      isOwnToken(t, oauthlib.post.access_token, 'machine', SCOPE)
      t.equal(oauthlib.refused, 'invalid_scope')
      isOwnToken(t, authlib.basic.access_token, 'machine')
      isOwnToken(t, authlib.post.access_token, 'machine')
      isOwnToken(t, authlib.key.access_token, 'signing-machine')
      t.equal(authlib.key.refresh_token, undefined)
    })

    t.test('golang.org/x/oauth2/clientcredentials', async t => {
      proves(t, 'golang.org/x/oauth2', 'client_credentials')
      const well = `${server.url}/.well-known/jwks.json`
      const [line = []] = await linesOf(join(go, 'machine'), [
        server.url,
        'machine',
        SECRET,
        well,
      ])
      const [token, ...rest] = line
      isOwnToken(t, token, 'machine')
      t.same(rest, ['Bearer', '200'])
    })

    t.test('Spring Security, with a secret and with a key', async t => {
      proves(t, 'Spring Security (Nimbus)', 'client_credentials', 'private_key_jwt')
      const [[classpath = ''] = []] = await linesOf('cat', [join(spring, 'classpath')])
      const source = join(import.meta.dirname, 'spring', 'Machine.java')
      const lines = await linesOf('java', ['-cp', classpath, source], env)
      t.same(
        lines.map(([how, , ...rest]) => [how, ...rest]),
        ['client_secret_basic', 'client_secret_post', 'private_key_jwt'].map(how => [
          how,
          'Bearer',
          NARROW,
        ]),
      )
      for (const [how, token] of lines) {
        isOwnToken(t, token, how === 'private_key_jwt' ? 'signing-machine' : 'machine')
      }
    })
  })
}
