// What every resource server in examples/ is held to: a real Latchkey, the example's own process, and the
// same refusals from each.
import { createHmac, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import t, { type Test } from 'tap'
import type { SigningKey } from '../../src/keys/ring.ts'
import { startChild } from './children.ts'
import { forge, signingKeyOf } from './forge.ts'
import { freePort } from './free-port.ts'
import { PATIENCE_MS, until } from './until.ts'
import { proves } from './interop.ts'
import { ROOT } from './python.ts'
import {
  type LatchkeyOptions,
  CLIENTS,
  ORDERS,
  PASSWORD,
  postForm,
  startLatchkey,
  STORES,
  USER,
  type LatchkeyProcess,
} from './server.ts'

export const SECRET = 'e'.repeat(43)
const MAIL = 'https://mail.example.com'

/**
 * How an example is started; it listens on PORT, and takes tokens of LATCHKEY_ISSUER that are meant for
 * AUDIENCE.
 */
export interface Example {
  /** Its folder in examples/. */
  readonly name: string
  /** Where it was installed; default: where it stands in the project. */
  readonly folder?: string
  readonly command: string
  readonly args: (port: number) => readonly string[]
  readonly env?: Record<string, string>
  /** Which of the forged tokens it may take, by name. */
  readonly takes?: readonly string[]
}

/** A running example. */
export interface RunningExample {
  readonly url: string
  /** What it wrote. */
  readonly lines: string[]
  stop(): Promise<void>
}

/** Starts an example and waits until it answers. */
export async function startExample(
  { name, folder = join(ROOT, 'examples', name), command, args, env = {} }: Example,
  issuer: string,
  port?: number,
): Promise<RunningExample> {
  const listenOn = port ?? (await freePort())
  const { PATH, HOME } = process.env
  const child = startChild(command, args(listenOn), {
    cwd: folder,
    env: {
      PATH,
      HOME,
      LATCHKEY_ISSUER: issuer,
      AUDIENCE: ORDERS,
      PUBLIC_URL: `http://127.0.0.1:${listenOn}`,
      PORT: String(listenOn),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killLeftover = () => {
    child.kill('SIGKILL')
  }
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(text)
    })
  }
  const ended = once(child, 'close')
  const running = {
    url: `http://127.0.0.1:${listenOn}`,
    lines,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(killLeftover, PATIENCE_MS)
      await ended
      clearTimeout(timer)
    },
  }
  await answers(running, () => child.exitCode !== null || child.signalCode !== null)
  return running
}

async function answers(
  { url, lines, stop }: RunningExample,
  ended: () => boolean,
): Promise<void> {
  const asked = { headers: { connection: 'close' } }
  const ask = () => fetch(`${url}/orders`, asked).then(answer => answer.text())
  await until(() => ended() || ask().then(() => true)).catch(() => {})
  if (!ended() && (await ask().catch(() => undefined)) !== undefined) return
  await stop()
  throw new Error(`the example doesn't answer:\n${lines.join('')}`)
}

export interface IssuerOptions extends Omit<LatchkeyOptions, 'storeUrl' | 'secret'> {
  /** Default: SQLite. */
  readonly make?: typeof sqlite
}

/** Starts Latchkey with one more client, `mail`, whose tokens are for another audience. */
export async function startIssuer(
  t: Test,
  { make = sqlite, config, ...options }: IssuerOptions = {},
): Promise<{ latchkey: LatchkeyProcess; storeUrl: string }> {
  const store = await make()
  t.teardown(() => store.remove())
  const clients = [...CLIENTS, { ...CLIENTS[0], id: 'mail', audience: [MAIL] }]
  const latchkey = await startLatchkey({
    storeUrl: store.url,
    secret: SECRET,
    ...options,
    config: { clients, ...config },
  })
  t.teardown(() => latchkey.stop())
  return { latchkey, storeUrl: store.url }
}

async function sqlite() {
  const [store] = STORES
  if (store === undefined) throw new Error('no store')
  return store.make()
}

/** What the interop table calls an example: its README's title, as a link. */
export function linkTo({ name }: Pick<Example, 'name'>): string {
  const title = /^# (.+)$/m.exec(
    readFileSync(join(ROOT, 'examples', name, 'README.md'), 'utf8'),
  )?.[1]
  return `[${title}](examples/${name})`
}

/** Holds an example to the contract of examples/README.md. */
export function checkResourceServer(example: Example): void {
  t.test(`${example.name} takes our tokens and refuses all others`, async t => {
    proves(t, linkTo(example), 'verify')
    const { latchkey, storeUrl } = await startIssuer(t)
    const api = await startExample(example, latchkey.url)
    t.teardown(() => api.stop())
    const tokens = await tokensFor(latchkey, storeUrl)

    t.test('200 with our token', async t => {
      const orders = await call(api, tokens.good)
      t.equal(orders.status, 200)
      t.match(
        orders.text,
        decodeJwt(tokens.good).sub ?? 'no sub',
        'the user is known by sub',
      )
      t.equal(
        (await call(api, tokens.control)).status,
        200,
        'signed as the forgeries are: those are refused for what they say',
      )
    })

    t.test('201 where the token has the other scope', async t => {
      const placed = await call(api, tokens.good, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"id":2,"item":"a chair"}',
      })
      t.equal(placed.status, 201)
    })

    t.test('401 without a token, and no error code (RFC 6750 §3.1)', async t => {
      const { status, challenge } = await call(api)
      t.equal(status, 401)
      t.match(challenge, /^Bearer\b/)
      t.notMatch(challenge, /error/)
    })

    for (const [name, token] of Object.entries(tokens.bad).filter(
      ([name]) => !example.takes?.includes(name),
    )) {
      t.test(`401 invalid_token: ${name}`, async t => {
        const { status, challenge } = await call(api, token)
        t.equal(status, 401)
        t.match(challenge, /^Bearer .*error="invalid_token"/)
      })
    }

    t.test('403 insufficient_scope', async t => {
      const { status, challenge } = await call(api, tokens.narrow)
      t.equal(status, 403)
      t.match(challenge, /^Bearer .*error="insufficient_scope"/)
    })
  })

  t.test(
    `${example.name} says 503 while Latchkey is away, and nothing about the token, which it takes ` +
      'once Latchkey is back',
    async t => {
      const { latchkey, storeUrl } = await startIssuer(t)
      const { access_token: token } = await login(latchkey)
      await latchkey.stop()
      const api = await startExample(example, latchkey.url)
      t.teardown(() => api.stop())
      const { status, challenge } = await call(api, token)
      t.equal(status, 503)
      t.equal(challenge, '')

      const ports = {
        http: latchkey.port,
        management: Number(new URL(latchkey.managementUrl).port),
      }
      const again = await startLatchkey({
        storeUrl,
        secret: SECRET,
        ports,
        addUser: false,
      })
      t.teardown(() => again.stop())
      t.equal(await statusOnce(() => call(api, token), 200), 200)
    },
  )
}

/** How long verifiers may keep a list, in the test below; seconds. */
const STATUS_TTL = 2

/**
 * Holds an example that looks at the status lists to it: how long is a token taken that was revoked, and who
 * was asked about it?
 */
export function checkRevocation(example: Example): void {
  t.test(
    `${example.name} refuses a revoked token within status.ttl and a second, and asks nobody about it`,
    async t => {
      proves(t, linkTo(example), 'status list')
      const { latchkey } = await startIssuer(t, {
        config: { status: { ttl: `${STATUS_TTL}s` } },
      })
      const api = await startExample(example, latchkey.url)
      t.teardown(() => api.stop())

      for (const what of [
        'the session',
        'the access token alone',
        'the session, behind another token',
      ] as const) {
        await t.test(what, async t => {
          const { access_token: token, refresh_token: refresh } = await login(latchkey)
          const { access_token: other } = await login(latchkey)
          t.equal((await call(api, token)).status, 200)
          const revoked = what === 'the access token alone' ? token : refresh
          if (what === 'the session, behind another token') {
            await postForm(`${latchkey.url}/token`, {
              grant_type: 'refresh_token',
              client_id: 'mobile',
              refresh_token: refresh,
            })
          }
          t.equal(
            (
              await postForm(`${latchkey.url}/revoke`, {
                token: revoked,
                client_id: 'mobile',
              })
            ).status,
            200,
          )
          const revokedAt = performance.now()
          let [seconds, longest] = [0, 0]
          const look = async () => {
            const answer = await call(api, token)
            const before = seconds
            seconds = (performance.now() - revokedAt) / 1000
            longest = Math.max(longest, seconds - before)
            return answer
          }
          t.equal(await statusOnce(look, 401), 401)
          // Nobody sees more between two looks, which may be long on a busy machine.
          const most = STATUS_TTL + 1 + 2 * longest
          t.ok(seconds <= most, `refused after ${seconds.toFixed(2)} s`)
          t.match((await call(api, token)).challenge, /^Bearer .*error="invalid_token"/)
          t.equal((await call(api, other)).status, 200, 'another session goes on')
        })
      }
      const metrics = await (await fetch(`${latchkey.managementUrl}/metrics`)).text()
      t.match(
        metrics,
        new RegExp(
          '^latchkey_http_request_duration_seconds_count' +
            '\\{method="GET",route="/status/:list",status="200"\\} [1-9]',
          'm',
        ),
      )
      t.notMatch(
        metrics,
        /route="\/(introspect|userinfo|verify)/,
        'nobody was asked about a token',
      )
      t.match(metrics, /^latchkey_introspections_total\{[^}]*\} 0$/m)
    },
  )

  t.test(
    `${example.name} says 503 while it has no status list, and goes on with one that it has`,
    async t => {
      const { latchkey } = await startIssuer(t, { config: { status: { ttl: '1s' } } })
      const [api, late] = [
        await startExample(example, latchkey.url),
        await startExample(example, latchkey.url),
      ]
      t.teardown(() => Promise.all([api.stop(), late.stop()]))
      const { access_token: token } = await login(latchkey)
      t.equal((await call(api, token)).status, 200)
      // This one has the keys and no list.
      t.equal((await call(late, 'xyz')).status, 401)
      t.equal((await call(late, await withoutStatus(token))).status, 401)
      await latchkey.stop()
      await wait(1500)
      t.equal((await call(api, token)).status, 200, 'until the list is no good any more')
      const { status, challenge } = await call(late, token)
      t.same([status, challenge], [503, ''])
    },
  )
}

/**
 * A token with the header and the key of another, and a signature that is none: whoever verifies it fetches
 * the keys.
 */
async function withoutStatus(token: string): Promise<string> {
  const [header = '', , signature = ''] = token.split('.')
  const { status: _status, ...claims } = decodeJwt(token)
  return `${header}.${encode(claims)}.${signature}`
}

/** Asks until the status is the expected one, for as long as suites wait; gives the last. */
export async function statusOnce(
  ask: () => Promise<{ status: number }>,
  expected: number,
): Promise<number> {
  let last = 0
  await until(async () => {
    last = (await ask()).status
    return last === expected
  }).catch(() => {})
  return last
}

/** GET /orders, unless told otherwise. */
export async function call(
  { url }: RunningExample,
  token?: string,
  init: RequestInit = {},
): Promise<{ status: number; challenge: string; text: string }> {
  // On a connection of its own: an idle one is closed by the server, at any moment.
  const headers = new Headers(init.headers)
  headers.set('connection', 'close')
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  const answer = await fetch(`${url}/orders`, { ...init, headers })
  return {
    status: answer.status,
    challenge: answer.headers.get('www-authenticate') ?? '',
    text: await answer.text(),
  }
}

/** Logs in at a client that needs no secret; default: `mobile`. */
export async function login(
  { url }: LatchkeyProcess,
  params: Record<string, string> = {},
): Promise<{ access_token: string; refresh_token: string; id_token: string }> {
  const { status, body } = await postForm(`${url}/token`, {
    grant_type: 'password',
    client_id: 'mobile',
    username: USER,
    password: PASSWORD,
    ...params,
  })
  if (status !== 200) throw new Error(`login failed: ${JSON.stringify(body)}`)
  return body
}

/** Tokens of every kind for audience ORDERS: what Latchkey hands out, and what no verifier may take. */
export async function tokensFor(latchkey: LatchkeyProcess, storeUrl: string) {
  const { access_token: good, refresh_token: refresh } = await login(latchkey)
  const { access_token: narrow } = await login(latchkey, { scope: 'profile' })
  const { access_token: foreign } = await login(latchkey, { client_id: 'mail' })
  const key = await signingKeyOf(storeUrl, SECRET)
  const bad: Record<string, string> = {
    'meant for another audience': foreign,
    'a refresh token': refresh,
    ...(await forgeries(latchkey, key, good)),
  }
  return {
    good,
    narrow,
    control: await forge(key, decodeJwt(good)),
    bad,
  }
}

/** Another first character, still in base64url's alphabet. */
function otherFirst(signature: string): string {
  return `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
}

/** What no verifier may take, made of a good token: of its type, and signed by that key. */
export async function forgeries(
  { url }: LatchkeyProcess,
  key: SigningKey,
  good: string,
): Promise<Record<string, string>> {
  const claims = decodeJwt(good)
  const { typ } = decodeProtectedHeader(good)
  const signed = async (changed: JWTPayload, header = {}) =>
    forge(key, changed, { typ, ...header })
  const { exp = 0, iat = 0 } = claims
  const [header = '', payload = '', signature = ''] = good.split('.')
  const hmacHeader = encode({ alg: 'HS256', kid: key.kid, typ })
  return {
    expired: await signed({ ...claims, iat: iat - 7200, exp: exp - 7200 }),
    'without an expiry': await signed(without(claims, 'exp')),
    'of another issuer': await signed({
      ...claims,
      iss: 'https://elsewhere.example.com',
    }),
    'without an audience': await signed(without(claims, 'aud')),
    'of another type': await signed(claims, { typ: typ === 'JWT' ? 'at+jwt' : 'JWT' }),
    'without a type': await signed(claims, { typ: undefined }),
    'with a key nobody published': await signed(claims, { kid: 'unknown' }),
    'tampered: other claims': `${header}.${encode({ ...claims, sub: 'root' })}.${signature}`,
    'tampered: other signature': `${header}.${payload}.${otherFirst(signature)}`,
    'alg none': `${encode({ alg: 'none', typ })}.${payload}.`,
    'HS256 keyed with the public key': `${hmacHeader}.${payload}.${createHmac(
      'sha256',
      await publicPem(url),
    )
      .update(`${hmacHeader}.${payload}`)
      .digest('base64url')}`,
    'no JWT at all': 'xyz',
    'claims nested too deep': `${header}.${Buffer.from('['.repeat(3000)).toString('base64url')}.${signature}`,
    'a header that is no object': `${Buffer.from('[]').toString('base64url')}.${payload}.${signature}`,
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function without(claims: JWTPayload, name: string): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name))
}

async function publicPem(url: string): Promise<string> {
  const { keys }: any = await (await fetch(`${url}/.well-known/jwks.json`)).json()
  return createPublicKey({ key: keys[0], format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
}
