// helm test: as a user that is made for it, gets a token, verifies it through JWKS as any resource server
// would, refreshes and revokes it.
import { spawnSync } from 'node:child_process'
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import process from 'node:process'

const {
  LATCHKEY_TEST_URL: url,
  LATCHKEY_TEST_CLIENTS: clientsText,
  LATCHKEY_TEST_CLIENT_ID: clientId,
  LATCHKEY_TEST_CLIENT_SECRET: clientSecret,
  LATCHKEY_BIN: bin = '/app/bin/latchkey.js',
} = process.env

const TIMEOUT_MS = 10_000
const ALGORITHMS = {
  ES256: ['sha256', { dsaEncoding: 'ieee-p1363' }],
  RS256: ['sha256', {}],
  PS256: ['sha256', { padding: 6, saltLength: 32 }],
  EdDSA: [null, {}],
}

const client = chooseClient(JSON.parse(clientsText))
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
  // One that isn't listed is in a configuration file of the operator's own, and /token says what it may.
  if (clientId && !clients.some(({ id }) => id === clientId)) return { id: clientId }
  const found = clientId
    ? clients.find(({ id }) => id === clientId)
    : clients.find(client => refreshes(client) && (client.secrets ?? []).length === 0)
  if (found !== undefined && refreshes(found)) return found
  throw new Error(
    'the test needs a client with both grants: a public one in config.clients, or test.clientId with ' +
      'test.existingSecret',
  )
}

async function ask (path, params, expected = 200) {
  const secret = clientSecret === undefined ? {} : { client_secret: clientSecret }
  const form = new URLSearchParams({ ...params, client_id: client.id, ...secret })
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const answer = await fetch(url + path, { method: 'POST', body: form, signal })
  const body = await answer.json()
  const { status } = answer
  if (status !== expected) {
    throw new Error(`${path} answered ${status} ${body.error ?? ''} in place of ${expected}`)
  }
  return body
}

async function check (token) {
  const [head, payload, signature] = token.split('.')
  const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url'))
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const answer = await fetch(`${url}/.well-known/jwks.json`, { signal })
  const { keys } = await answer.json()
  const jwk = keys.find(key => key.kid === kid)
  if (jwk === undefined) throw new Error('the key that signed is not in JWKS')
  const [hash, options] = ALGORITHMS[alg]
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const signed = Buffer.from(`${head}.${payload}`)
  const isRight = verify(hash, signed, { key, ...options }, Buffer.from(signature, 'base64url'))
  if (!isRight) throw new Error('the signature is wrong')
}

function latchkey (args, input = '') {
  const options = { input, encoding: 'utf8' }
  const { status, stderr } = spawnSync(process.execPath, [bin, ...args], options)
  if (status !== 0) throw new Error(`latchkey ${args.slice(0, 2).join(' ')}: ${stderr}`)
}

function say (line) {
  process.stdout.write(`${line}\n`)
}
