// oidc-client-ts in a page of a real browser: it is given the issuer and a client's id, and nothing else.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { complaintsOf, startBrowser } from '../support/browser.ts'
import { OPENID_CLIENTS, PORTAL } from '../support/id-tokens.ts'
import { proves } from '../support/interop.ts'
import { ROOT } from '../support/python.ts'
import { startIssuer } from '../support/resource-server.ts'
import { PASSWORD, USER } from '../support/server.ts'

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="importmap">{ "imports": {
  "oidc-client-ts": "/oidc-client-ts/dist/esm/oidc-client-ts.js",
  "jwt-decode": "/jwt-decode/build/esm/index.js",
  "jose": "/jose/dist/webapi/index.js"
} }</script>`

const browser = await startBrowser()
t.teardown(() => browser.close())

/** An origin with an empty page, whose modules are the packages as npm has them. */
async function startPages(t: Test): Promise<string> {
  const server = createServer(async ({ url = '/' }, answer) => {
    if (url === '/') {
      answer.setHeader('content-type', 'text/html').end(PAGE)
      return
    }
    const file = await readFile(join(ROOT, 'node_modules', url)).catch(() => undefined)
    answer.statusCode = file === undefined ? 404 : 200
    answer.setHeader('content-type', 'text/javascript').end(file)
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

const origin = await startPages(t)
const { latchkey } = await startIssuer(t, {
  cors: [origin],
  config: { clients: OPENID_CLIENTS },
})

/** A page with a manager of its own. */
async function open(t: Test): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage()
  t.teardown(() => page.close())
  const complaints = complaintsOf(page)
  await page.goto(origin)
  await page.evaluate(makeManager, { authority: latchkey.url, clientId: PORTAL })
  return { page, complaints }
}

// What follows up to the tests runs in the page; `manager` is a global of it.

async function makeManager({
  authority,
  clientId,
}: {
  authority: string
  clientId: string
}): Promise<void> {
  const { UserManager } = await import('oidc-client-ts')
  const manager = new UserManager({
    authority,
    client_id: clientId,
    redirect_uri: 'http://127.0.0.1/none',
    scope: 'openid profile',
    loadUserInfo: true,
  })
  Object.assign(globalThis, { manager })
}

async function logIn(credentials: { username: string; password: string }): Promise<any> {
  const { manager } = globalThis as any
  const user = await manager.signinResourceOwnerCredentials(credentials)
  return { ...user, expired: user.expired, scopes: user.scopes }
}

async function whyNot(credentials: { username: string; password: string }) {
  const { manager } = globalThis as any
  return manager.signinResourceOwnerCredentials(credentials).then(
    () => 'logged in',
    ({ error }: { error: string }) => error,
  )
}

async function logInAgain(): Promise<any> {
  const { manager } = globalThis as any
  return { ...(await manager.signinSilent()) }
}

async function logOut(): Promise<any> {
  const { manager } = globalThis as any
  await manager.revokeTokens()
  await manager.removeUser()
  return manager.getUser()
}

/** Has jose verify an ID token, with the issuer and the keys that oidc-client-ts found by discovery. */
async function verify({ token, audience }: { token: string; audience: string }) {
  const { manager } = globalThis as any
  const { createLocalJWKSet, jwtVerify } = await import('jose')
  const keys = await manager.metadataService.getSigningKeys()
  const issuer = await manager.metadataService.getIssuer()
  const { payload } = await jwtVerify(token, createLocalJWKSet({ keys }), {
    issuer,
    audience,
    typ: 'JWT',
  })
  return payload
}

const CREDENTIALS = { username: USER, password: PASSWORD }

t.test('logs in with openid, refreshes, logs out', async t => {
  proves(t, 'oidc-client-ts', 'login', 'refresh', 'revoke', 'id token')
  const { page, complaints } = await open(t)
  const user = await page.evaluate(logIn, CREDENTIALS)
  const { sub } = decodeJwt(user.access_token)
  t.match(user, {
    profile: { sub, aud: PORTAL, preferred_username: USER, roles: ['buyer'] },
    scopes: ['openid', 'profile'],
    token_type: 'Bearer',
    expired: false,
  })
  t.match(await page.evaluate(verify, { token: user.id_token, audience: PORTAL }), {
    iss: latchkey.url,
    sub,
  })

  const again = await page.evaluate(logInAgain)
  t.match(again.profile, { sub, auth_time: user.profile.auth_time })
  t.not(again.access_token, user.access_token)
  t.equal(await page.evaluate(logOut), null)
  t.equal(await statusOf(again.access_token), 401, 'what it had is revoked')
  t.same(complaints, [])
})

t.test('says why a login is refused', async t => {
  const { page } = await open(t)
  const refusal = await page.evaluate(whyNot, { ...CREDENTIALS, password: 'wrong' })
  t.equal(refusal, 'invalid_grant')
})

t.test('refuses an answer whose ID token is of another user, or of none', async t => {
  const { page } = await open(t)
  const { id_token: own } = await page.evaluate(logIn, CREDENTIALS)
  for (const [sub, why] of [
    ['somebody-else', /subject from UserInfo response does not match/],
    [undefined, /missing a subject claim/],
  ] as const) {
    await answerWith(page, forge(own, { sub }))
    await t.rejects(page.evaluate(logIn, CREDENTIALS), why)
  }
})

t.test('a forged one, which it takes itself, jose refuses with its keys', async t => {
  const { page } = await open(t)
  const { id_token: own } = await page.evaluate(logIn, CREDENTIALS)
  await answerWith(page, forge(own, { plan: 'gold', roles: ['admin'] }))
  const { id_token: token, profile } = await page.evaluate(logIn, CREDENTIALS)
  t.match(
    profile,
    { plan: 'gold', roles: ['buyer'] },
    'it looks at no signature, and lets /userinfo have the last word',
  )
  const verdict = page.evaluate(verify, { token, audience: PORTAL })
  await t.rejects(verdict, /signature verification failed/)
  const verdictForOthers = page.evaluate(verify, { token: own, audience: 'elsewhere' })
  await t.rejects(verdictForOthers, /"aud" claim/)
})

/** An ID token with other claims and the signature that it had. */
function forge(token: string, claims: Record<string, unknown>): string {
  const [header, , signature] = token.split('.')
  const payload = JSON.stringify({ ...decodeJwt(token), ...claims })
  return `${header}.${Buffer.from(payload).toString('base64url')}.${signature}`
}

/** From now on the token endpoint seems to answer with that ID token. */
async function answerWith(page: Page, idToken: string): Promise<void> {
  const { url } = latchkey
  await page.unroute(`${url}/token`)
  await page.route(`${url}/token`, async route => {
    const response = await route.fetch()
    const tokens = { ...(await response.json()), id_token: idToken }
    await route.fulfill({ response, json: tokens })
  })
}

async function statusOf(token: string): Promise<number> {
  const answer = await fetch(`${latchkey.url}/userinfo`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return answer.status
}
