// examples/nginx, run as its README says, with a real nginx; and what /verify adds to other resource servers:
// revocation, DPoP.
import { createHash, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { proves } from '../support/interop.ts'
import {
  call,
  checkResourceServer,
  linkTo,
  startExample,
  startIssuer,
  type Example,
} from '../support/resource-server.ts'
import { login, PASSWORD, postForm, USER } from '../support/server.ts'

const example: Example = {
  name: 'nginx',
  command: './run.sh',
  args: () => [],
  env: { SERVICE_PORT: String(await freePort()) },
  // Latchkey signs such tokens itself, for audiences that are configured so.
  takes: ['of another type'],
}

checkResourceServer(example)

t.test('nginx refuses a revoked token at once', async t => {
  const { latchkey } = await startIssuer(t)
  const proxy = await startExample(example, latchkey.url)
  t.teardown(() => proxy.stop())
  const { access_token: token } = await login(latchkey)
  t.equal((await call(proxy, token)).status, 200)
  await postForm(`${latchkey.url}/revoke`, { client_id: 'mobile', token })
  const { status, challenge } = await call(proxy, token)
  t.equal(status, 401)
  t.match(challenge, /^Bearer .*error="invalid_token"/)
})

t.test('nginx passes a bound token on with a proof for its own URL only', async t => {
  proves(t, linkTo(example), 'dpop')
  const { latchkey } = await startIssuer(t, {
    http: { trustedProxies: ['127.0.0.1'] },
    config: { dpop: { nonce: false } },
  })
  const proxy = await startExample(example, latchkey.url)
  t.teardown(() => proxy.stop())
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const proof = (htm: string, htu: string, token?: string) =>
    new SignJWT({
      jti: randomUUID(),
      htm,
      htu,
      ...(token !== undefined && {
        ath: createHash('sha256').update(token).digest('base64url'),
      }),
    })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
      .setIssuedAt()
      .sign(privateKey)
  const body = new URLSearchParams({
    grant_type: 'password',
    client_id: 'mobile',
    username: USER,
    password: PASSWORD,
  })
  const answer = await fetch(`${latchkey.url}/token`, {
    method: 'POST',
    body,
    headers: { dpop: await proof('POST', `${latchkey.url}/token`) },
  })
  const { access_token: token, token_type: type }: any = await answer.json()
  t.equal(type, 'DPoP')
  const ask = async (htu: string) =>
    fetch(`${proxy.url}/orders?page=2`, {
      headers: { authorization: `DPoP ${token}`, dpop: await proof('GET', htu, token) },
    })
  t.equal((await ask(`${proxy.url}/orders`)).status, 200)
  const refused = await ask(`${latchkey.url}/userinfo`)
  t.equal(refused.status, 401)
  t.match(refused.headers.get('www-authenticate'), /^DPoP .*error="invalid_dpop_proof"/)
})
