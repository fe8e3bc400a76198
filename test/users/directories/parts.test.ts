// The parts of directories elsewhere, with directories that are told what to say: hashes, faults, bounds.
import t from 'tap'
import { monotonicClock } from '../../../src/base/clock.ts'
import { accountRefused } from '../../../src/cli/tools.ts'
import { accountWords } from '../../../src/cli/terminal/words.ts'
import { decodeConfig } from '../../../src/config/load.ts'
import { watchDirectories } from '../../../src/observe/directories.ts'
import { StoreUnavailable } from '../../../src/stores/ports/unavailable.ts'
import { createAuthenticateElsewhere } from '../../../src/users/directory/authenticate-elsewhere.ts'
import { createChain } from '../../../src/users/directory/chain.ts'
import type {
  Identity,
  Lookup,
  NamedDirectory,
  Verdict,
} from '../../../src/users/directory/external.ts'
import { guardDirectory } from '../../../src/users/directory/guarded.ts'
import { createHttpDirectory } from '../../../src/users/directory/http.ts'
import { createRecheck } from '../../../src/users/directory/recheck.ts'
import { createShadows } from '../../../src/users/directory/shadows.ts'
import { systemRandom } from '../../../src/base/random.ts'
import { createFailedLogins } from '../../../src/users/failed-logins/failed-logins.ts'
import { buildTestApp, PASSWORD, UNTHROTTLED } from '../../support/app.ts'

const SETTINGS = {
  name: 'said',
  migrate: 'none',
  sub: 'own',
  timeout: 1_000,
  maxInFlight: 1,
} as const

const ANN: Identity = {
  externalId: '1',
  name: 'ann',
  disabled: false,
  attributes: {},
  emailVerified: false,
}

/** No password is copied. */
const REVIEW = {
  checkNewPassword: async () => undefined,
  emit() {},
  watch: { unchecked() {} },
}

function saying(verify: () => Promise<Verdict>, givesHashes = false): NamedDirectory {
  return {
    settings: SETTINGS,
    givesHashes,
    verify,
    lookup: async () => ({ kind: 'unavailable', fault: 'as told' }),
    close: async () => {},
  }
}

function guarded(directory: NamedDirectory) {
  const watch = { answered() {}, changed() {} }
  return guardDirectory({ directory, watch, monotonic: monotonicClock })
}

const statusOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 0,
    (error: unknown) => Object(error).status,
  )

const ATTEMPT = { name: 'ann', foldedName: 'ann', password: 'x' }

t.test('one question more than maxInFlight is not asked', async t => {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  const directory = guarded(saying(() => promise))
  const { signal } = new AbortController()
  const first = directory.verify(ATTEMPT, signal)
  t.match(await directory.verify(ATTEMPT, signal), {
    kind: 'unavailable',
    fault: '1 questions (maxInFlight) are open',
  })
  resolve({ kind: 'wrong' })
  t.same(await first, { kind: 'wrong' })
})

t.test('who refuses a question is there', async t => {
  let [now, verdict]: [number, Verdict] = [0, { kind: 'unavailable', fault: 'as told' }]
  const changes: unknown[] = []
  const directory = guardDirectory({
    directory: saying(async () => verdict),
    watch: { answered() {}, changed: (...change) => changes.push(change) },
    monotonic: () => now,
  })
  const { signal } = new AbortController()
  const ask = () => directory.verify(ATTEMPT, signal)
  for (let failure = 0; failure < 5; failure++) await ask()
  t.match(await ask(), { fault: /left alone/ })
  now += 1_000
  verdict = { kind: 'unavailable', scope: 'question', fault: 'two rows' }
  t.match(await ask(), verdict)
  verdict = { kind: 'wrong' }
  t.same(await ask(), verdict, 'the next one is asked at once')
  t.same(changes, [
    ['said', 'as told'],
    ['said', undefined],
  ])
  t.equal(directory.downForMs(), 0)
})

t.test(
  'a lookup that fails keeps nobody from logging in, nor the other way round',
  async t => {
    let [now, isRight] = [0, true]
    const changes: unknown[] = []
    const directory = guardDirectory({
      directory: saying(async () =>
        isRight ? { kind: 'wrong' } : { kind: 'unavailable', fault: 'as told' },
      ),
      watch: { answered() {}, changed: (...change) => changes.push(change) },
      monotonic: () => now,
    })
    const { signal } = new AbortController()
    const logIn = () => directory.verify(ATTEMPT, signal)
    const lookUp = () => directory.lookup('1', signal)
    for (let failure = 0; failure < 5; failure++) await lookUp()
    t.match(await lookUp(), { fault: /left alone/ })
    t.same(await logIn(), { kind: 'wrong' }, 'a login is asked all the same')
    t.equal(directory.downForMs(), 0, 'which says that it is there')
    t.match(await lookUp(), { fault: /left alone/ })
    now += 1_000
    t.match(await lookUp(), { fault: 'as told' }, 'a second later one look is')
    t.match(await lookUp(), { fault: /left alone/ })
    t.same(changes, [
      ['said', 'as told'],
      ['said', undefined],
    ])
    isRight = false
    for (let failure = 0; failure < 5; failure++) await logIn()
    t.match(await logIn(), { fault: /left alone/ })
  },
)

t.test('not everybody is gone', async t => {
  let lookup: Lookup = { kind: 'gone' }
  const directory = guarded({
    ...saying(async () => ({ kind: 'wrong' })),
    lookup: async () => lookup,
  })
  const { signal } = new AbortController()
  const kinds = async (looks: number) => {
    const seen: string[] = []
    for (let look = 0; look < looks; look++) {
      seen.push((await directory.lookup('1', signal)).kind)
    }
    return seen
  }
  const ten = Array<string>(10).fill('gone')
  t.same(await kinds(11), [...ten, 'unavailable'])
  t.match(await directory.lookup('1', signal), { fault: /none of the last 12 users/ })
  await directory.verify(ATTEMPT, signal)
  t.same(await kinds(10), ten, 'a login shows that somebody is there')
  lookup = { kind: 'unasked' }
  t.same(await kinds(1), ['unasked'])
  lookup = { kind: 'found', identity: ANN }
  t.same(await kinds(1), ['found'])
  lookup = { kind: 'gone' }
  t.same(await kinds(11), [...ten, 'unavailable'], 'and so does who is found')
})

t.test('refusals of a directory that may take long take equally long', async t => {
  const app = await buildTestApp()
  t.teardown(() => app.close())
  let [now, takesMs] = [0, 3_000]
  const slow = saying(async () => {
    now += takesMs
    return { kind: 'wrong' }
  })
  const authenticate = createAuthenticateElsewhere({
    ...REVIEW,
    local: app.authenticate,
    directory: app.core.directory,
    chain: createChain([
      guarded({ ...slow, settings: { ...SETTINGS, timeout: 4_000 } }),
      guarded(saying(async () => ({ kind: 'unknown' }))),
    ]),
    shadows: {} as never,
    failedLogins: createFailedLogins({
      attempts: app.store.loginAttempts,
      secrets: [Buffer.alloc(32, 5).toString('base64url')],
      policy: () => UNTHROTTLED,
    }),
    hasher: app.core.hasher,
    monotonic: () => now,
  })
  const login = (password: string) =>
    authenticate({ name: 'kim', password, clientId: 'm', address: '::1' })
  t.match(await login('wrong'), { kind: 'refused' })
  takesMs = 2_600
  const startedAt = performance.now()
  t.match(await login('wrong, too'), { kind: 'refused' })
  t.ok(performance.now() - startedAt > 390, 'as long as the one before')
})

t.test('what a directory throws is no verdict', async t => {
  for (const [thrown, fault] of [
    [new RangeError('x'), 'a fault: RangeError'],
    ['a text', 'a fault: unknown'],
  ] as const) {
    const directory = guarded(saying(() => Promise.reject(thrown)))
    const answer = await directory.verify(ATTEMPT, new AbortController().signal)
    t.same(answer, { kind: 'unavailable', fault })
  }
  const asked = guarded(saying(async () => ({ kind: 'wrong' })))
  t.match(await asked.verify(ATTEMPT, AbortSignal.abort()), { kind: 'unavailable' })
})

t.test('a directory that gives hashes: the password is checked here', async t => {
  const app = await buildTestApp()
  t.teardown(() => app.close())
  const alice = await app.accounts.find('alice')
  const hash = String(alice?.passwordHash)
  let verdict: Verdict = { kind: 'hash', pepper: '', identity: ANN, passwordHash: hash }
  let isAway = false
  let hashed = 0
  let perName = UNTHROTTLED.perName
  const chain = createChain([guarded(saying(async () => verdict, true))])
  const { directory, hasher } = app.core
  const failedLogins = createFailedLogins({
    attempts: app.store.loginAttempts,
    secrets: [Buffer.alloc(32, 5).toString('base64url')],
    policy: () => ({ ...UNTHROTTLED, perName }),
  })
  const shadows = createShadows({
    directory,
    emit() {},
    readGiven: () => ({ attributes: {}, emailVerified: false, uniqueValues: [] }),
    lookup: async () => ({ kind: 'gone' }),
    isClient: () => false,
  })
  const authenticate = createAuthenticateElsewhere({
    ...REVIEW,
    local: app.authenticate,
    directory,
    chain,
    shadows: {
      ...shadows,
      keep: async (...args) => (isAway ? { kind: 'unavailable' } : shadows.keep(...args)),
    },
    failedLogins,
    hasher: {
      ...hasher,
      enqueue(...args) {
        hashed += 1
        return hasher.enqueue(...args)
      },
    },
    monotonic: () => 0,
  })
  const login = (password: string, more = {}) =>
    authenticate({ name: 'ann', password, clientId: 'm', address: '::1', ...more })
  t.match(await login(PASSWORD), { kind: 'ok', account: { name: 'ann' } })
  t.match(await login('wrong'), { kind: 'refused', reason: 'password_wrong' })
  verdict = { kind: 'unknown' }
  const before = hashed
  t.match(await login('another'), { kind: 'refused', reason: 'user_unknown' })
  t.equal(hashed, before + 1, 'a name that nobody has takes a hash, too')
  t.equal(await statusOf(login('gone', { signal: AbortSignal.abort() })), 499)
  verdict = { kind: 'ok', identity: ANN }
  isAway = true
  t.equal(await statusOf(login(PASSWORD)), 503, 'its name is held by one away')
  isAway = false
  verdict = { kind: 'ok', identity: { ...ANN, disabled: true } }
  t.match(await login(PASSWORD), { kind: 'refused', reason: 'user_disabled' })
  perName = 1
  verdict = { kind: 'wrong' }
  await login('one')
  t.match(await login('two'), { kind: 'throttled', by: 'pair' })
})

t.test(
  'spellings that a directory takes for one name are one for the throttle',
  async t => {
    const app = await buildTestApp()
    t.teardown(() => app.close())
    const alice = await app.accounts.find('alice')
    const passwordHash = String(alice?.passwordHash)
    let isBusy = false
    const results: string[] = []
    const { directory, hasher } = app.core
    const authenticate = createAuthenticateElsewhere({
      ...REVIEW,
      local: app.authenticate,
      directory,
      chain: createChain([
        guarded(
          saying(
            async () => ({ kind: 'hash', pepper: '', identity: ANN, passwordHash }),
            true,
          ),
        ),
      ]),
      shadows: createShadows({
        directory,
        emit() {},
        readGiven: () => ({ attributes: {}, emailVerified: false, uniqueValues: [] }),
        lookup: async () => ({ kind: 'gone' }),
        isClient: () => false,
      }),
      failedLogins: createFailedLogins({
        attempts: {
          ...app.store.loginAttempts,
          settle: attempt => {
            results.push(attempt.result)
            return app.store.loginAttempts.settle(attempt)
          },
        },
        secrets: [Buffer.alloc(32, 6).toString('base64url')],
        policy: () => ({ ...UNTHROTTLED, perName: 2 }),
      }),
      hasher: {
        ...hasher,
        enqueue: (...args) =>
          isBusy ? Promise.reject(new Error('busy')) : hasher.enqueue(...args),
      },
      monotonic: () => 0,
    })
    const login = (name: string, password: string) =>
      authenticate({ name, password, clientId: 'm', address: '::1' })
    t.match(
      await login('ánn', PASSWORD),
      { kind: 'ok' },
      'the first one makes the account',
    )
    t.match(await login('ánn', 'one'), { reason: 'password_wrong' })
    t.match(await login('ànn', 'one'), { reason: 'password_repeated' })
    t.match(await login('ànn', 'two'), { reason: 'password_wrong' })
    t.match(await login('ãnn', 'three'), { kind: 'throttled', by: 'pair' })
    t.equal(results.at(-1), 'withdrawn', 'the spelling was not looked at either')
    t.match(await login('ann', 'four'), { kind: 'throttled', by: 'pair' })
    app.clock.advance(5_000)
    isBusy = true
    await t.rejects(login('änn', PASSWORD), { message: 'busy' })
    isBusy = false
    app.clock.advance(5_000)
    t.match(
      await login('änn', PASSWORD),
      { kind: 'ok' },
      'which was none of its failures',
    )
  },
)

t.test('http: an answer about another id, and faults by their names', async t => {
  const settings = {
    ...SETTINGS,
    type: 'http',
    url: 'https://app.example.com/',
    lookupUrl: 'https://app.example.com/id',
    secrets: ['whsec_AAAA'],
    mayBePrivate: false,
  } as const
  const errors = [{ code: 'EX' }, { cause: { code: 'EC' } }, { cause: { message: 'm' } }]
  let thrown: unknown
  const directory = createHttpDirectory({
    settings,
    random: systemRandom,
    clock: () => 0,
    async post() {
      if (thrown !== undefined) throw thrown
      return { status: 200, body: { id: 2, name: 'bob' } }
    },
  })
  const { signal } = new AbortController()
  t.match(await directory.lookup('1', signal), { fault: /another id/ })
  t.match(await directory.lookup('2', signal), { kind: 'found' })
  const faults: unknown[] = []
  for (const error of [...errors, new Error('plain')]) {
    thrown = error
    faults.push(Object(await directory.lookup('1', signal)).fault)
  }
  t.same(
    faults,
    ['EX', 'EC', 'm', 'plain'].map(code => `no answer (${code})`),
  )
})

t.test('a look that the store does not answer is tried again', async t => {
  let asked = 0
  const recheck = createRecheck({
    directory: {
      async byTag() {
        asked += 1
        throw new StoreUnavailable(undefined, 'away')
      },
    },
    shadows: {
      drop: async () => {},
      refresh: async account => account,
    },
    lookup: async () => ({ kind: 'gone' }),
    find: () => undefined,
    policy: () => ({ grace: 1, recheck: 1_000 }),
    monotonic: () => 1,
  })
  const event = { type: 'refresh.rotated', clientId: 'm', sub: 's', sid: 'i' } as const
  for (let times = 1; times < 3; times++) {
    recheck.hear(event)
    await recheck.settled()
    t.equal(asked, times)
  }
  recheck.hear({ ...event, type: 'refresh.replayed' })
  t.notOk(recheck.isOverdue('nobody'))
})

t.test('what belongs to a directory is refused by name', async t => {
  t.match(String(accountWords('directory_owns', { name: 'ann', minLength: 8 })), /ann is/)
  t.match(accountRefused('directory_owns', 'ann').message, /change it there/)
  t.equal(accountRefused('user_unknown', 'ann').message, 'user unknown: ann')
})

t.test('the rules of directories', async t => {
  const directory = {
    type: 'http',
    name: 'app',
    url: 'http://app.example.com/',
    secrets: ['A'.repeat(43)],
  }
  const faultsOf = (...directories: object[]) => {
    try {
      decodeConfig({
        issuer: 'https://id.example.com',
        secrets: [Buffer.alloc(32, 3).toString('base64url')],
        store: { url: 'sqlite::memory:' },
        directories,
      })
      return ''
    } catch (error) {
      return String(error)
    }
  }
  t.match(faultsOf(directory), /directories\[0\]\.url.*https/s)
  t.match(faultsOf({ ...directory, url: 'https://a:b@c.example/' }), /without user/)
  t.match(
    faultsOf(
      ...['https://a.example/', 'https://b.example/'].map(url => ({ ...directory, url })),
    ),
    /another name/,
  )
})

t.test('the log need not be there yet', async t => {
  const seen: unknown[] = []
  const counts = {
    countDirectoryAnswer() {},
    showDirectory: (...args: unknown[]) => seen.push(args),
  }
  const watch = watchDirectories(counts, () => undefined)
  watch.changed('app', 'a fault')
  watch.changed('app', undefined)
  t.same(seen, [
    ['app', false],
    ['app', true],
  ])
})
