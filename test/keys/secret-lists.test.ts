// What servers know of each other's secrets, on both stores; and what comes of it for refresh tokens.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  createKnownSecrets,
  LIFE_MS,
  runningLists,
  TRUST_MS,
} from '../../src/keys/known-secrets.ts'
import { CannotOpen } from '../../src/keys/seal.ts'
import {
  createSecretsNotice,
  loadAtStart,
  waitUntilOthersKnow,
} from '../../src/keys/secrets-at-start.ts'
import { secretMarks } from '../../src/base/secrets.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import type { SecretLists } from '../../src/stores/ports/documents/secret-lists.ts'
import { createRefreshTokenCodec } from '../../src/tokens/refresh-token.ts'
import { API_SECRET, buildTestApp, ISSUER } from '../support/app.ts'
import { createHandClock } from '../support/clock.ts'
import { startRedis } from '../support/redis.ts'
import { STORES } from '../support/stores.ts'

const SECOND = 1_000
const secret = () => randomBytes(32).toString('base64')
const [OLD, NEW, THIRD] = [secret(), secret(), secret()]
const numberOf = (text: string) => secretMarks([text])[0]?.number ?? -1
const idOf = (text: string) => secretMarks([text])[0]?.id ?? ''

/** Servers on one store, whose loads are counted. */
function serversOn(lists: SecretLists, clock = createHandClock()) {
  const counted = { loads: 0, saves: 0, fault: undefined as Error | undefined }
  const port: SecretLists = {
    async load() {
      counted.loads++
      if (counted.fault !== undefined) throw counted.fault
      return lists.load()
    },
    async save(content) {
      counted.saves++
      return lists.save(content)
    },
  }
  const server = (...secrets: string[]) =>
    createKnownSecrets({
      store: { secretLists: port, now: async () => clock() },
      secrets,
      monotonic: clock,
    })
  return { clock, counted, server }
}

for (const { name, create } of STORES) {
  t.test(`${name}: servers know each other's secrets by fingerprints`, async t => {
    const { store, stop } = await create()
    t.teardown(stop)
    const { server, clock } = serversOn(store.secretLists)
    t.match(await store.secretLists.load(), { version: 0, lists: [] })
    const [old, fresh] = [server(OLD), server(NEW, OLD)]
    await Promise.all([old.sync(), fresh.sync()])
    await Promise.all([old.sync(), fresh.sync()])

    t.equal(await old.isElsewhere(numberOf(NEW)), true)
    t.equal(await fresh.isElsewhere(numberOf(NEW)), false, 'its own')
    t.equal(await fresh.isElsewhere(numberOf(OLD)), false)
    t.same(old.missing(), [idOf(NEW)])
    t.same(fresh.missing(), [])
    t.equal(fresh.isEverywhere(idOf(NEW)), false)
    t.equal(fresh.isEverywhere(idOf(OLD)), true)

    const { lists } = await store.secretLists.load()
    t.equal(lists.length, 2)
    const text = JSON.stringify(lists)
    for (const each of [OLD, NEW]) t.notOk(text.includes(each.slice(0, 8)), 'no secret')
    t.equal(runningLists(lists, clock() + 89 * SECOND).length, 2)
    t.equal(runningLists(lists, clock() + 90 * SECOND).length, 0, 'silent')
  })
}

/** A document in memory. */
function inMemory() {
  const start: Awaited<ReturnType<SecretLists['load']>> = { version: 0, lists: [] }
  let saved = start
  return {
    load: async () => saved,
    async save(next: typeof saved) {
      if (next.version !== saved.version) return false
      saved = { ...next, version: next.version + 1 }
      return true
    },
    lose() {
      saved = start
    },
    /** As a back-up is put back. */
    putBack({ lists }: typeof saved) {
      saved = { version: saved.version + 1, lists }
    },
    seen: () => saved.lists,
  }
}

t.test('strangers who send garbage cost the store nothing', async t => {
  const { server, clock, counted } = serversOn(inMemory())
  const one = server(OLD)
  await one.sync()
  counted.loads = 0
  for (let number = 0; number < 256; number++) {
    t.equal(await one.isElsewhere(number), false)
  }
  t.equal(counted.loads, 0, 'what was read just now is good enough')
  clock.advance(TRUST_MS + 1)
  await Promise.all(Array.from({ length: 100 }, () => one.isElsewhere(1)))
  t.equal(counted.loads, 1, 'what is older is read once for all that ask')
  t.equal(counted.saves, 1, 'and nothing is written for them')
})

t.test('without the store nobody says that a secret is nobody’s', async t => {
  const { server, clock, counted } = serversOn(inMemory())
  const one = server(OLD)
  await one.sync()
  counted.fault = new StoreUnavailable(undefined, 'away')
  t.equal(await one.isElsewhere(1), false, 'read a moment ago')
  clock.advance(TRUST_MS + 1)
  await t.rejects(one.isElsewhere(1), StoreUnavailable)
  await t.rejects(one.isElsewhere(1), StoreUnavailable, 'again')
  counted.fault = undefined
  t.equal(await one.isElsewhere(1), false)
})

t.test('a secret is nobody’s once its last server was not heard of for long', async t => {
  const store = inMemory()
  const { server, clock, counted } = serversOn(store)
  const [old, fresh] = [server(OLD), server(NEW, OLD)]
  await Promise.all([old.sync(), fresh.sync()])
  await old.sync()
  const pass = async (ms: number, ...living: (typeof old)[]) => {
    for (let passed = 0; passed < ms; passed += SECOND) {
      clock.advance(SECOND)
      for (const each of living) await each.sync()
    }
  }
  const saves = counted.saves
  await pass(2 * LIFE_MS, old, fresh)
  t.equal(await old.isElsewhere(numberOf(NEW)), true, 'as long as it runs')
  t.ok(counted.saves - saves < 50, `renewed now and then: ${counted.saves - saves}`)
  await pass(LIFE_MS - 61 * SECOND, old)
  t.equal(
    await old.isElsewhere(numberOf(NEW)),
    true,
    'time to start anew, and to go back',
  )
  await pass(62 * SECOND, old)
  t.equal(await old.isElsewhere(numberOf(NEW)), false)
  t.equal(old.isEverywhere(idOf(OLD)), true)
  await pass(LIFE_MS + 61 * SECOND, old)
  t.equal(store.seen().length, 1, 'and is forgotten')
})

t.test('after an outage the others are waited for before they count as gone', async t => {
  const store = inMemory()
  const { server, clock } = serversOn(store)
  const [old, fresh] = [server(OLD), server(NEW, OLD)]
  await fresh.sync()
  await old.sync()
  clock.advance(LIFE_MS + SECOND)
  await old.sync()
  t.equal(
    await old.isElsewhere(numberOf(NEW)),
    true,
    'nobody could be heard of meanwhile',
  )
  await fresh.sync()
  for (let passed = 0; passed < 120; passed++) {
    clock.advance(SECOND)
    await old.sync()
  }
  t.equal(await old.isElsewhere(numberOf(NEW)), true, 'it said that it is there')

  store.lose()
  await old.sync()
  t.equal(
    await old.isElsewhere(numberOf(NEW)),
    true,
    'what a failover lost is remembered',
  )
  await fresh.sync()
  t.equal(store.seen().length, 2, 'and put back')
})

async function ownStore(t: Test, name: string): Promise<string> {
  if (name === 'SQLite') return `sqlite:${t.testdir({})}/latchkey.db`
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return redis.url
}

for (const { name } of STORES) {
  t.test(
    `${name}: a refresh token of a secret that only others have is a fault`,
    async t => {
      const storeUrl = await ownStore(t, name)
      const on = (...secrets: string[]) => buildTestApp({ storeUrl, secrets })
      const old = await on(OLD)
      t.teardown(() => old.close())
      const fresh = await on(NEW, OLD)
      t.teardown(() => fresh.close())
      fresh.clock.set(old.clock())
      await old.known.sync()
      const { refresh_token: token } = await fresh.login()

      const client = { client_id: 'orders-api', client_secret: API_SECRET }
      const answers = [
        await old.refresh(token),
        await old.post('/introspect', { ...client, token }),
        await old.post('/revoke', { client_id: 'mobile', token }),
      ]
      for (const answer of answers) {
        t.match(answer, {
          statusCode: 503,
          headers: { 'retry-after': '1' },
        })
        t.match(answer.json(), { error: 'temporarily_unavailable' })
      }
      t.ok(
        old.lines.some(line => line.includes('"reason":"secret_elsewhere"')),
        'the log has the reason',
      )
      t.notOk(
        old.lines.some(line => line.includes('refresh.refused')),
        'no verdict was audited',
      )
      const next = await fresh.refresh(token)
      t.equal(next.statusCode, 200, 'it lives')
      const both = await on(OLD, NEW)
      t.teardown(() => both.close())
      t.equal((await both.refresh(next.json().refresh_token)).statusCode, 200)
      t.equal(
        (await fresh.refresh((await old.login()).refresh_token)).statusCode,
        200,
        'and so does one of the old secret',
      )

      let third = THIRD
      while ([OLD, NEW].some(each => numberOf(each) === numberOf(third))) third = secret()
      const nobodys = createRefreshTokenCodec({
        issuer: ISSUER,
        secrets: [third],
      }).encode({
        userTag: 'A'.repeat(22),
        familyId: randomBytes(16),
        generation: 0,
      })
      t.match((await old.refresh(nobodys)).json(), { error: 'invalid_grant' })
      t.same((await old.post('/introspect', { ...client, token: nobodys })).json(), {
        active: false,
      })
      t.equal(
        (await old.post('/revoke', { client_id: 'mobile', token: nobodys })).statusCode,
        200,
      )
      t.match((await old.refresh('rt_garbage')).json(), { error: 'invalid_grant' })
    },
  )
}

t.test('a store that was put back makes nobody forget what was heard since', async t => {
  const store = inMemory()
  const { server, clock } = serversOn(store)
  const [old, fresh] = [server(OLD), server(NEW, OLD)]
  await fresh.sync()
  const backup = await store.load()
  for (let passed = 0; passed < 2 * LIFE_MS; passed += SECOND) {
    clock.advance(SECOND)
    await old.sync()
    await fresh.sync()
  }
  store.putBack(backup)
  await old.sync()
  t.equal(await old.isElsewhere(numberOf(NEW)), true)
})

t.test('a server that can’t start with its secrets leaves nobody waiting', async t => {
  const store = inMemory()
  const { server, clock, counted } = serversOn(store)
  const [good, wrong] = [server(OLD), server(THIRD)]
  await good.sync()
  const shut = { load: () => Promise.reject(new CannotOpen('kid', idOf(OLD), [])) }
  const start = () => loadAtStart(shut, { known: wrong, wait: async () => {} })
  await t.rejects(start(), CannotOpen)
  const marks = () =>
    runningLists(store.seen(), clock()).flatMap(({ secrets }) => secrets)
  t.same(marks(), secretMarks([OLD]))
  t.equal(await server(OLD, NEW).sync(), undefined)
  t.equal(store.seen().length, 3, 'others are told that it is gone')

  const faulty = { load: shut.load }
  await t.rejects(
    loadAtStart(faulty, {
      known: {
        ...wrong,
        withdraw: () => Promise.reject(new StoreUnavailable(undefined, 'away')),
      },
      wait: async () => {},
    }),
    CannotOpen,
    'the reason stays the first one',
  )
  t.ok(counted.saves > 0)
})

t.test('a server waits for those that can open the ring to seal it anew', async t => {
  const { server } = serversOn(inMemory())
  const [old, fresh] = [server(OLD), server(NEW, OLD)]
  await fresh.sync()
  await old.sync()
  const waits: number[] = []
  const start = (faults: unknown[]) => {
    waits.length = 0
    return loadAtStart(
      {
        async load() {
          const fault = faults.shift()
          if (fault !== undefined) throw fault
        },
      },
      { known: old, wait: async ms => waits.push(ms) },
    )
  }
  const shut = (id: string) => new CannotOpen('kid', id, [idOf(OLD)])
  await start([])
  t.same(waits, [])
  await start([shut(idOf(NEW)), shut(idOf(NEW))])
  t.same(waits, [1000, 1000])
  await t.rejects(start([shut(idOf(THIRD))]), {
    message:
      `cannot open signing key kid: it is sealed under the secret with the fingerprint ${idOf(THIRD)}, ` +
      `which is not among secrets (${idOf(OLD)}): put that secret back, behind the others; ` +
      'where it is lost for good, run latchkey keys abandon',
  })
  t.same(waits, [], 'nobody has it: not waited for')
  await t.rejects(start([new Error('else')]), /else/)
  await t.rejects(start(Array.from({ length: 21 }, () => shut(idOf(NEW)))), CannotOpen)
  t.equal(waits.length, 20)
  t.match(new CannotOpen('kid', 'a', ['a']).message, /damaged/)
})

t.test(
  'a server that seals under what others lack is heard of first, and says so',
  async t => {
    const { server } = serversOn(inMemory())
    const [old, fresh] = [server(OLD), server(NEW, OLD)]
    const waited = async (known: typeof old) => {
      const waits: number[] = []
      await waitUntilOthersKnow({ known, wait: async ms => waits.push(ms) })
      return waits
    }
    await old.sync()
    t.same(await waited(old), [])
    await fresh.sync()
    t.same(await waited(fresh), [TRUST_MS])
    await old.sync()
    t.same(await waited(old), [], 'the others can read what it seals')

    const warnings: string[] = []
    const log = { warn: (message: string) => warnings.push(message) }
    const notices = [createSecretsNotice(old, log), createSecretsNotice(fresh, log)]
    const notice = () => {
      for (const each of notices) each()
      return warnings.splice(0)
    }
    t.match(notice(), [
      new RegExp(
        `^secrets: other servers have .*${idOf(NEW)}.* is answered 503 here: append these`,
      ),
      new RegExp(`^secrets\\[0\\] \\(fingerprint ${idOf(NEW)}\\) is not among`),
    ])
    t.same(notice(), [], 'once')
    const { server: later, clock } = serversOn(inMemory())
    const lone = later(OLD)
    await later(NEW).sync()
    await lone.sync()
    const noticed = createSecretsNotice(lone, log)
    noticed()
    t.match(warnings.splice(0), [
      /other servers have .*; secrets\[0\] .* of every running server/,
    ])
    for (let passed = 0; passed <= LIFE_MS + 60 * SECOND; passed += SECOND) {
      clock.advance(SECOND)
      await lone.sync()
    }
    noticed()
    t.same(warnings, ['secrets: all servers can read each other again'])
  },
)

t.test('the store says nothing: the app answers 503, and no verdict', async t => {
  const app = await buildTestApp({ secrets: [OLD] })
  t.teardown(() => app.close())
  const failing: Store['secretLists']['load'] = async () => {
    throw new StoreUnavailable(undefined, 'away')
  }
  const codec = createRefreshTokenCodec({ issuer: ISSUER, secrets: [NEW] })
  const token = codec.encode({
    userTag: 'A'.repeat(22),
    familyId: randomBytes(16),
    generation: 0,
  })
  t.equal((await app.refresh(token)).statusCode, 400)
  Object.assign(app.store.secretLists, { load: failing })
  app.clock.advance(TRUST_MS + 1)
  t.equal((await app.refresh(token)).statusCode, 503)
})
