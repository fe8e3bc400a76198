// helm test: as a user that is made for it, gets a token, verifies it through JWKS as any resource server would, refreshes and revokes it.
import { spawnSync } from 'node:child_process'
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import process from 'node:process'

const { LATCHKEY_TEST_URL: url, LATCHKEY_TEST_CLIENTS, LATCHKEY_TEST_CLIENT_ID, LATCHKEY_TEST_CLIENT_SECRET, LATCHKEY_BIN = '/app/bin/latchkey.js' } = process.env

const ALGORITHMS = {
  ES256: ['sha256', { dsaEncoding: 'ieee-p1363' }],
  RS256: ['sha256', {}],
  PS256: ['sha256', { padding: 6, saltLength: 32 }],
  EdDSA: [null, {}],
}

const client = chooseClient(JSON.parse(LATCHKEY_TEST_CLIENTS))
const name = `helm-test-${randomBytes(6).toString('hex')}`
const password = randomBytes(24).toString('base64url')

latchkey(['users', 'add', name], `${password}\n`)
try {
  const first = await ask('/token', { grant_type: 'password', username: name, password })
  say('got a token')
  await check(first.access_token)
  say('verified its signature by the keys of JWKS')
  const second = await ask('/token', { grant_type: 'refresh_token', refresh_token: first.refresh_token })
  await check(second.access_token)
  say('refreshed it')
  await ask('/revoke', { token: second.refresh_token })
  await ask('/token', { grant_type: 'refresh_token', refresh_token: second.refresh_token }, 400)
  say('revoked it: it is refused now')
} finally {
  latchkey(['users', 'remove', name])
}
say('all is well')

function chooseClient (clients) {
  const refreshes = ({ grants = [] }) => grants.includes('password') && grants.includes('refresh_token')
  const found = LATCHKEY_TEST_CLIENT_ID
    ? clients.find(({ id }) => id === LATCHKEY_TEST_CLIENT_ID)
    : clients.find(client => refreshes(client) && (client.secrets ?? []).length === 0)
  if (found !== undefined && refreshes(found)) return found
  throw new Error('the test needs a client with both grants: a public one in config.clients, or test.clientId with test.existingSecret')
}

async function ask (path, params, expected = 200) {
  const secret = LATCHKEY_TEST_CLIENT_SECRET === undefined ? {} : { client_secret: LATCHKEY_TEST_CLIENT_SECRET }
  const answer = await fetch(url + path, { method: 'POST', body: new URLSearchParams({ ...params, client_id: client.id, ...secret }), signal: AbortSignal.timeout(10_000) })
  const body = await answer.json()
  if (answer.status !== expected) throw new Error(`${path} answered ${answer.status} ${body.error ?? ''} in place of ${expected}`)
  return body
}

async function check (token) {
  const [head, payload, signature] = token.split('.')
  const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url'))
  const { keys } = await (await fetch(`${url}/.well-known/jwks.json`, { signal: AbortSignal.timeout(10_000) })).json()
  const jwk = keys.find(key => key.kid === kid)
  if (jwk === undefined) throw new Error('the key that signed is not in JWKS')
  const [hash, options] = ALGORITHMS[alg]
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  if (!verify(hash, Buffer.from(`${head}.${payload}`), { key, ...options }, Buffer.from(signature, 'base64url'))) throw new Error('the signature is wrong')
}

function latchkey (args, input = '') {
  const { status, stderr } = spawnSync(process.execPath, [LATCHKEY_BIN, ...args], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`latchkey ${args.slice(0, 2).join(' ')}: ${stderr}`)
}

function say (line) {
  process.stdout.write(`${line}\n`)
}
