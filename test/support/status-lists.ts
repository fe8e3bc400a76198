// Status lists that no Latchkey at hand would serve, from an issuer that stands in for it: full ones, and
// those that no verifier may believe.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { deflateSync } from 'node:zlib'
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose'
import t, { type Test } from 'tap'
import { call, startExample, statusOnce, type Example } from './resource-server.ts'
import { ORDERS } from './server.ts'
import { until } from './until.ts'

const SIZE = 2 ** 20
const KEYS = '/.well-known/jwks.json'
const MINUTE = 60
/** A page that is never answered. */
const HANGS = ''

/** What differs from a good list, and where the token's bit is. */
interface Row {
  readonly claims?: Record<string, unknown>
  readonly typ?: string
  readonly bits?: number
  readonly bytes?: Buffer
  readonly lst?: string
  readonly idx?: number
  readonly foreignKey?: boolean
  readonly host?: string
  readonly moved?: boolean
}

const REFUSED: Record<string, Row> = {
  'of another type': { typ: 'JWT' },
  'of another issuer': { claims: { iss: 'https://elsewhere.example.com' } },
  'of another name': { claims: { sub: 'http://127.0.0.1/status/other' } },
  'that is over': { claims: { iat: now() - 2 * MINUTE, exp: now() - MINUTE } },
  'without an end': { claims: { exp: undefined } },
  'without a beginning': { claims: { iat: undefined } },
  'signed by somebody else': { foreignKey: true },
  'of two bits per token': { bits: 2 },
  'that is not compressed': { lst: 'xyz' },
  'that ends before the token': { bytes: Buffer.alloc(8), idx: 64 },
  'that inflates to more than a list has': { bytes: Buffer.alloc(2 ** 26), idx: SIZE },
  'at another host': { host: 'localhost' },
  'that is elsewhere now': { moved: true },
}

/**
 * Holds an example that looks at the status lists to it: which are believed, how often are they fetched, and
 * for how long are they good?
 */
export function checkStatusLists(example: Example): void {
  t.test(`${example.name} reads the status list and believes no other`, async t => {
    const issuer = await standIn(t)
    const api = await startExample(example, issuer.url)
    t.teardown(() => api.stop())

    t.test(
      "a full list that compression doesn't make smaller, fetched once for many requests",
      async t => {
        const bytes = randomBytes(SIZE / 8)
        const bitAt = (idx: number) => (Number(bytes[idx >> 3]) >> (idx & 7)) & 1
        const indices = [
          0,
          1,
          2,
          3,
          4,
          5,
          6,
          7,
          ...Array.from({ length: 8 }, (_, index) => SIZE - 1 - index),
        ]
        const tokens = await Promise.all(
          indices.map(idx => issuer.tokenFor('full', { bytes, idx })),
        )
        const answers = await Promise.all(tokens.map(token => call(api, token)))
        t.same(
          answers.map(({ status }) => status),
          indices.map(idx => (bitAt(idx) === 1 ? 401 : 200)),
        )
        t.equal(issuer.asked('full'), 1)
      },
    )

    for (const [name, row] of Object.entries(REFUSED)) {
      t.test(`503: a list ${name}`, async t => {
        const { status, challenge } = await call(
          api,
          await issuer.tokenFor(name.replaceAll(' ', '-'), row),
        )
        t.same([status, challenge], [503, ''])
      })
    }

    t.test('a token without the claim is good', async t => {
      t.equal((await call(api, await issuer.tokenWith({}))).status, 200)
    })

    t.test('an old list is good until its end', async t => {
      // A busy machine may need more than four seconds for this.
      for (let lives = 4, isInTime = false; !isInTime && lives < 500; lives *= 5) {
        const [name, exp] = [`old-${lives}`, now() + lives]
        const token = await issuer.tokenFor(name, { claims: { ttl: 1, exp } })
        const statuses = [(await call(api, token)).status]
        issuer.forget(name)
        await until(async () => {
          await call(api, token)
          return issuer.asked(name) > 1
        })
        statuses.push((await call(api, token)).status)
        isInTime = now() < exp
        if (isInTime) t.same(statuses, [200, 200], 'though it is asked for again')
        t.equal(await statusOnce(() => call(api, token), 503), 503)
      }
    })
  })
}

/**
 * Holds an example to it: tokens that name keys which nobody has cost the issuer next to nothing, and keys
 * that are known are good while there are no others.
 */
export function checkKeys(example: Example): void {
  t.test(`${example.name} asks seldom for keys that aren't there`, async t => {
    const issuer = await standIn(t)
    const api = await startExample(example, issuer.url)
    t.teardown(() => api.stop())
    const good = await issuer.tokenWith({})
    t.equal((await call(api, good)).status, 200)
    issuer.withdrawKeys()
    for (let round = 0; round < 20; round += 1) {
      const { status } = await call(api, await issuer.tokenWith({}, `unknown-${round}`))
      t.ok([401, 503].includes(status), `${status}`)
    }
    t.ok(issuer.keysAsked() <= 2, `asked ${issuer.keysAsked()} times`)
    t.equal((await call(api, good)).status, 200, 'with the key that it has')

    const late = await startExample(example, issuer.url)
    t.teardown(() => late.stop())
    const before = issuer.keysAsked()
    const startedAt = performance.now()
    for (let round = 0; round < 20; round += 1) {
      t.equal((await call(late, good)).status, 503)
    }
    const seconds = Math.ceil((performance.now() - startedAt) / 1000)
    const asked = issuer.keysAsked() - before
    t.ok(asked <= seconds + 1, `asked ${asked} times in ${seconds} s, having no keys`)
  })
}

/**
 * Holds an example whose requests may wait for each other to it: what hangs is waited for once, and by those
 * alone who need it.
 */
export function checkStatusListsUnderStrain(example: Example): void {
  t.test(`${example.name} waits once for a list that hangs`, async t => {
    const issuer = await standIn(t)
    const api = await startExample(example, issuer.url)
    t.teardown(() => api.stop())
    const statusOf = async (token: string) => (await call(api, token)).status
    const [none, old, other] = [
      await issuer.tokenFor('none', {}),
      await issuer.tokenFor('old', { claims: { ttl: 1 } }),
      await issuer.tokenFor('other', {}),
    ]
    issuer.hang('none')
    t.equal(await statusOf(old), 200)
    issuer.hang('old')
    await wait(1100)

    const startedAt = performance.now()
    const waiting = Promise.all([none, none, none, old, old, old].map(statusOf))
    t.equal(await statusOf(other), 200)
    t.ok(performance.now() - startedAt < 4000, 'another list waits for neither')
    t.same(await waiting, [503, 503, 503, 200, 200, 200])
    t.same([await statusOf(none), await statusOf(old)], [503, 200], 'at once')
    const seconds = (performance.now() - startedAt) / 1000
    t.ok(seconds < 14, `after ${seconds.toFixed(1)} s, not 5 for each`)
    t.same([issuer.asked('none'), issuer.asked('old')], [1, 2])
  })

  t.test(`${example.name} takes no part of a list that is too long`, async t => {
    const issuer = await standIn(t)
    const api = await startExample(example, issuer.url)
    t.teardown(() => api.stop())
    t.equal(
      (
        await call(
          api,
          await issuer.tokenFor('long', { bytes: Buffer.alloc(SIZE / 8 + 1) }),
        )
      ).status,
      503,
    )
  })
}

interface Signing {
  readonly privateKey?: CryptoKey
  readonly kid?: string
}

/** An issuer that isn't Latchkey: serves keys and lists, and signs tokens that name them. */
export async function standIn(t: Test) {
  const [own, foreign] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')]
  const jwks = JSON.stringify({
    keys: [
      {
        ...(await exportJWK(own.publicKey)),
        kid: '1',
        alg: 'ES256',
        use: 'sig',
      },
    ],
  })
  const pages = new Map<string, string>([[KEYS, jwks]])
  const asked: string[] = []
  const server = createServer(({ url: path = '' }, response) => {
    asked.push(path)
    const page = pages.get(path)
    if (page === HANGS) return
    if (page?.startsWith('/')) response.writeHead(302, { location: page }).end()
    else response.writeHead(page === undefined ? 404 : 200).end(page)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`

  const sign = (
    claims: JWTPayload,
    typ: string,
    { privateKey = own.privateKey, kid = '1' }: Signing = {},
  ) =>
    new SignJWT({
      iss: url,
      iat: now(),
      exp: now() + MINUTE,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid, typ })
      .sign(privateKey)
  const tokenWith = (claims: JWTPayload, kid = '1') =>
    sign(
      {
        sub: 'ann',
        aud: ORDERS,
        client_id: 'mobile',
        jti: 'x',
        scope: 'orders:read',
        ...claims,
      },
      'at+jwt',
      { kid },
    )

  /** Serves a list at that name; gives the claim of a token whose bit is in it. */
  async function statusOf(
    name: string,
    {
      claims,
      typ = 'statuslist+jwt',
      bits = 1,
      bytes = Buffer.alloc(SIZE / 8),
      lst,
      idx = 0,
      foreignKey,
      host = '127.0.0.1',
      moved,
    }: Row,
  ) {
    const path = `/status/${name}`
    const uri = `http://${host}:${port}${path}`
    const list = { bits, lst: lst ?? deflateSync(bytes).toString('base64url') }
    pages.set(
      moved === true ? `${path}-moved` : path,
      await sign(
        {
          sub: uri,
          ttl: MINUTE,
          status_list: list,
          ...claims,
        },
        typ,
        foreignKey === true ? foreign : own,
      ),
    )
    if (moved === true) pages.set(path, `${path}-moved`)
    return { status: { status_list: { idx, uri } } }
  }

  /** Serves a list at that name; gives a token whose bit is in it. */
  async function tokenFor(name: string, row: Row) {
    return tokenWith(await statusOf(name, row))
  }

  return {
    url,
    tokenWith,
    statusOf,
    tokenFor,
    hang: (name: string) => {
      pages.set(`/status/${name}`, HANGS)
    },
    forget: (name: string) => {
      pages.delete(`/status/${name}`)
    },
    asked: (name: string) => asked.filter(path => path === `/status/${name}`).length,
    keysAsked: () => asked.filter(path => path === KEYS).length,
    withdrawKeys: () => {
      pages.delete(KEYS)
    },
  }
}

/** Seconds since the epoch. */
export function now(): number {
  return Math.floor(Date.now() / 1000)
}
