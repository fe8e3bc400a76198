// oauth2-proxy before an API, in bearer mode: it is given the issuer and the audience of the API, and nothing
// of how tokens are signed.
import { once } from 'node:events'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import t from 'tap'
import { runChild, startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { OPENID_CLIENTS, PORTAL } from '../support/id-tokens.ts'
import { proves } from '../support/interop.ts'
import { call, login, startIssuer, tokensFor } from '../support/resource-server.ts'
import { ORDERS } from '../support/server.ts'
import { until } from '../support/until.ts'

/** Where `go install` puts it. */
async function programs(): Promise<string> {
  const { stdout } = await runChild('go', ['env', 'GOPATH'])
  return join(stdout.trim(), 'bin')
}

/** Starts it before an API that answers each request with 200. */
async function startProxy(
  issuer: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort()
  const { PATH, HOME } = process.env
  const child = startChild(
    join(await programs(), 'oauth2-proxy'),
    [
      '--provider=oidc',
      `--oidc-issuer-url=${issuer}`,
      `--client-id=${ORDERS}`,
      // Both are for logins by a browser, which there are none of.
      '--client-secret=none',
      `--cookie-secret=${'c'.repeat(32)}`,
      '--email-domain=*',
      '--skip-jwt-bearer-tokens',
      '--bearer-token-login-fallback=false',
      '--set-xauthrequest',
      '--upstream=static://200',
      `--http-address=127.0.0.1:${port}`,
    ],
    { env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  }
  child.once('error', () => {
    lines.push('install it: go install github.com/oauth2-proxy/oauth2-proxy/v7')
  })
  const ended = once(child, 'close')
  const url = `http://127.0.0.1:${port}`
  const isGone = () => child.exitCode !== null || child.pid === undefined
  await until(() => isGone() || fetch(`${url}/ping`).then(() => true))
  if (isGone()) throw new Error(`oauth2-proxy doesn't start:\n${lines.join('')}`)
  return {
    url,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

t.test('oauth2-proxy lets requests with our access tokens through', async t => {
  proves(t, 'oauth2-proxy', 'verify')
  const mail = {
    ...OPENID_CLIENTS[0],
    id: 'mail',
    audience: ['https://mail.example.com'],
  }
  const { latchkey, storeUrl } = await startIssuer(t, {
    config: { clients: [...OPENID_CLIENTS, mail] },
  })
  const proxy = await startProxy(latchkey.url)
  t.teardown(() => proxy.stop())
  const { good, control, bad } = await tokensFor(latchkey, storeUrl)
  const api = { ...proxy, lines: [] }
  for (const token of [good, control]) t.equal((await call(api, token)).status, 200)
  const answer = await fetch(`${proxy.url}/oauth2/auth`, {
    headers: { authorization: `Bearer ${good}` },
  })
  t.equal(answer.headers.get('x-auth-request-user'), decodeJwt(good).sub)

  t.equal((await call(api)).status, 403, 'no token')
  // It looks at no type.
  const { 'of another type': _, 'without a type': __, ...refused } = bad
  for (const [name, token] of Object.entries(refused)) {
    t.equal((await call(api, token)).status, 403, name)
  }
  const { id_token: idToken } = await login(latchkey, { client_id: PORTAL })
  t.equal((await call(api, idToken)).status, 403, 'an ID token')
  t.equal((await call(api, good)).status, 200, 'and still takes a good one')
})
