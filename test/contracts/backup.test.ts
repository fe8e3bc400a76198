// Back-up and restore, on each store and by the command line: what was acknowledged is in it, and what was
// revoked stays dead.
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { nameShard } from '../../src/stores/redis/people/claims/names.ts'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore, type OpenedStore } from '../../src/stores/open.ts'
import { hourOf } from '../../src/stores/ports/status-lists.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { commandLine } from '../support/command-line.ts'
import { startRedis } from '../support/redis.ts'
import { PATIENT, until } from '../support/until.ts'

const HOUR = 3_600_000
const SOON = () => Date.now() + HOUR

/** Makes the URL of a fresh store. */
type Fresh = (t: Test) => Promise<string>

const FRESH: ReadonlyArray<readonly [string, Fresh]> = [
  ['SQLite', async t => `sqlite:${join(folder(t), 'latchkey.db')}`],
  ['Redis', t => redisUrl(t, false)],
  ['Redis Cluster', t => redisUrl(t, true)],
]

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-backup-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

async function redisUrl(t: Test, cluster: boolean): Promise<string> {
  const redis = await startRedis({ cluster })
  t.teardown(() => redis.stop())
  return redis.url
}

async function open(t: Test, url: string): Promise<OpenedStore> {
  const opened = await openStore({
    ...PATIENT,
    url,
    clock: systemClock,
    lossPeriodMs: HOUR,
  })
  t.teardown(() => opened.store.close())
  return opened
}

/** Waits until the server has seen that its store is there again. */
async function serves({ store }: Pick<OpenedStore, 'store'>): Promise<void> {
  await until(() =>
    store.directory.byName('nobody').then(
      () => true,
      () => false,
    ),
  )
}

/** Accounts with sessions in every state. */
async function fill({ store }: OpenedStore) {
  const accounts = ['alice', 'bob', 'carol'].map(sub => someAccount(sub))
  const [alice, bob, carol] = accounts
  if (!alice || !bob || !carol) throw new Error('no accounts')
  await store.directory.addAll(accounts)
  await store.outbox.append([{ id: 'a', way: 'mail', content: 'to alice' }], 1)
  const { list, first } = await store.statusLists.lease(hourOf(Date.now()))
  const status = { list, idx: first, forMs: HOUR }
  const living = await signIn(store, alice.tag, { status })
  await store.families.rotate(presented(living, 1))
  const dead = { list, idx: first + 1 }
  await store.accessTokens.revoke({
    ...living,
    jti: 'a',
    expiresAt: SOON(),
    status: dead,
  })
  const ended = await signIn(store, alice.tag)
  await store.families.end({ ...ended, clientId: null })
  const disabled = await signIn(store, bob.tag)
  await store.subjects.setDisabled(bob.tag, true)
  await store.accessTokens.revoke({ ...living, jti: 'stolen', expiresAt: SOON() })
  await store.subjects.setAccess(carol.tag, { scopes: ['orders:read'], roles: ['é "x"'] })
  const email = { attribute: 'email', value: 'carol@example.com' }
  await store.directory.setAttributes({
    tag: carol.tag,
    attributes: { email: 'carol@example.com' },
    emailVerified: true,
    uniqueValues: [email],
    version: 1,
  })
  await store.replays.once('proof', HOUR)
  const ring = await store.keys.load()
  await store.keys.save(ring)
  return { alice, bob, carol, living, ended, disabled, status, dead, email }
}

type Filled = Awaited<ReturnType<typeof fill>>

async function holds(t: Test, { store }: OpenedStore, filled: Filled): Promise<void> {
  const { alice, bob, carol, living, ended, disabled, status, dead, email } = filled
  t.match(await store.outbox.backlog('mail'), { length: 0 }, 'nothing goes out twice')
  const revoked = async () => {
    const lists = await store.statusLists.read(new Map())
    return lists.find(({ list }) => list === status.list)?.revoked
  }
  const of = (ref: typeof living) => store.families.rotate(presented(ref, 2))
  t.match(await store.directory.byName(carol.foldedName), {
    sub: 'carol',
    scopes: ['orders:read'],
    roles: ['é "x"'],
    passwordHash: carol.passwordHash,
  })
  t.match(await store.directory.byValue(email), {
    sub: 'carol',
    attributes: { email: 'carol@example.com' },
    emailVerified: true,
  })
  t.same(
    await store.directory.add(someAccount('thief', { uniqueValues: [email] })),
    { kind: 'value_taken', attribute: 'email' },
    'what only one account may have is still taken',
  )
  t.match(await store.directory.byName(bob.foldedName), {
    disabled: true,
    sessionsEpoch: 2,
  })
  t.match(await store.accessTokens.check({ ...living, jti: 'stolen' }), {
    reason: 'token_revoked',
  })
  t.match(await store.accessTokens.check({ ...living, jti: 'other' }), { kind: 'active' })
  t.match(await of(living), { kind: 'rotated', generation: 3, user: { sub: 'alice' } })
  t.match(await of(ended), { kind: 'refused', reason: 'family_ended' })
  t.match(await of(disabled), { kind: 'refused', reason: 'user_disabled' })
  t.equal(await store.replays.once('proof', HOUR), false, 'a proof counts once')
  t.equal(await store.directory.add(alice), 'name_taken')
  t.equal((await store.families.list(alice.tag)).length, 1)
  t.same(await revoked(), [dead.idx])
  await store.families.end({ ...living, clientId: null })
  t.same(await revoked(), [dead.idx, status.idx], 'its living tokens are known')
}

for (const [name, fresh] of FRESH) {
  t.test(`a back-up of ${name} brings back what was acknowledged`, async t => {
    const first = await open(t, await fresh(t))
    const filled = await fill(first)
    const file = join(folder(t), 'store.backup')
    const parts: number[] = []
    const content = await first.backups.save(file, part => parts.push(part))
    t.match(content, { accounts: 3, revocations: 2 })
    t.ok(content.sessions >= 2)
    t.equal(statSync(file).mode & 0o777, 0o600, 'for its owner only')
    t.ok(parts.every(part => part >= 0 && part <= 1))
    await t.rejects(first.backups.save(file), {
      name: 'BackupRefused',
      message: /store\.backup is there already/,
    })

    const other = await open(t, await fresh(t))
    await other.store.directory.add(someAccount('dave'))
    await t.rejects(other.backups.restore(file, { replace: false }), {
      name: 'BackupRefused',
      message: /--replace/,
    })
    t.ok(await other.store.directory.byName('name of dave'), 'nothing was changed')
    t.match(await other.backups.restore(file, { replace: true }), content)
    await serves(other)
    await holds(t, other, filled)
    t.equal(await other.store.directory.byName('name of dave'), undefined)
    await t.resolves(other.store.probe())
  })

  t.test(`a damaged back-up of ${name} is refused, and changes nothing`, async t => {
    const { store, backups } = await open(t, await fresh(t))
    await store.directory.add(someAccount('erin'))
    const dir = folder(t)
    const file = join(dir, 'whole')
    await backups.save(file)
    const whole = readFileSync(file)
    const damaged: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      text: Buffer.from('{"latchkey":"back-up"}\n'),
      'cut short': whole.subarray(0, whole.length - 30),
      'another program': gzipSync('{"a":1}\n'),
      'no JSON': gzipSync('hello\n'),
    }
    for (const [what, bytes] of Object.entries(damaged)) {
      const path = join(dir, what)
      writeFileSync(path, bytes)
      const refused = { name: 'BackupRefused' }
      await t.rejects(backups.restore(path, { replace: true }), refused, what)
    }
    await t.rejects(backups.restore(join(dir, 'nowhere'), { replace: true }), {
      name: 'BackupRefused',
      message: /nowhere can't be used \(ENOENT\)/,
    })
    await t.rejects(backups.save(join(dir, 'no', 'folder')), {
      name: 'BackupRefused',
    })
    t.ok(await store.directory.byName('name of erin'))
  })
}

t.test("a back-up of Redis with a changed line, a later format, SQLite's", async t => {
  const { store, backups } = await open(t, await redisUrl(t, false))
  await store.directory.add(someAccount('erin'))
  const dir = folder(t)
  const file = join(dir, 'whole')
  await backups.save(file)
  const text = gunzipSync(readFileSync(file)).toString()
  const changed = {
    'another name': text.replace('Name of erin', 'Name of eric'),
    'a line less': text.replace(/\n.*erin.*\n/, '\n'),
    'a later format': text.replace('"format":1', '"format":2'),
  }
  for (const [what, content] of Object.entries(changed)) {
    const path = join(dir, what)
    writeFileSync(path, gzipSync(content))
    await t.rejects(
      backups.restore(path, { replace: true }),
      {
        name: 'BackupRefused',
        message: what.endsWith('format') ? /format 2/ : /not whole/,
      },
      what,
    )
  }
  t.ok(await store.directory.byName('name of erin'))
})

t.test('servers on a Redis that lost its data go on after a restore', async t => {
  const url = await redisUrl(t, false)
  const [here, there] = [await open(t, url), await open(t, url)]
  const filled = await fill(here)
  const file = join(folder(t), 'store.backup')
  await here.backups.save(file)
  await Object(here.store).client.flushall()
  const lost = { name: 'StoreUnavailable' }
  await t.rejects(there.store.families.rotate(presented(filled.living, 2)), lost)
  const commands = await openStore({ ...PATIENT, url, clock: systemClock })
  t.teardown(() => commands.store.close())
  await commands.backups.restore(file, { replace: false })
  await serves(here)
  await serves(there)
  await holds(t, there, filled)
})

t.test('servers refuse, and log nobody out, while their store is replaced', async t => {
  const url = await redisUrl(t, false)
  const server = await open(t, url)
  const filled = await fill(server)
  const file = join(folder(t), 'store.backup')
  await server.backups.save(file)
  const commands = await openStore({ ...PATIENT, url, clock: systemClock })
  t.teardown(() => commands.store.close())
  const verdicts: unknown[] = []
  const stopping = new AbortController()
  const asking = (async () => {
    while (!stopping.signal.aborted) {
      await server.store.families
        .peek({ ...filled.living, generation: 2, reuseGraceMs: 10_000 })
        .then(({ kind }) => verdicts.push(kind))
        .catch(async (error: unknown) => {
          if (Object(error).name !== 'StoreUnavailable') verdicts.push(error)
          await wait(5)
        })
    }
  })()
  for (let times = 0; times < 5; times++) {
    await commands.backups.restore(file, { replace: true })
  }
  await serves(server)
  stopping.abort()
  await asking
  t.ok(
    verdicts.every(kind => kind === 'active'),
    'no verdict but the right one',
  )
  await holds(t, server, filled)
})

t.test('an answer of just before the data came back is no verdict', async t => {
  const url = await redisUrl(t, false)
  const server = await open(t, url)
  const { living } = await fill(server)
  const file = join(folder(t), 'store.backup')
  await server.backups.save(file)
  const { client } = Object(server.store)
  const beside = new Redis(url)
  t.teardown(() => beside.disconnect())
  const get = client.get.bind(client)
  const restored = Promise.withResolvers<void>()
  let asked = 0
  client.get = async (name: string) => {
    asked += 1
    await restored.promise
    return get(name)
  }
  // What a restore takes away, and what it has done a moment later.
  const [mark, key] = ['lk:epoch:0', `lk:{${living.userTag}}:f:${living.sid}`]
  const [before, bytes] = [await beside.get(mark), await beside.getBuffer(key)]
  await beside.del(mark, key)
  const answer = server.store.families.rotate(presented(living, 2)).then(
    ({ kind }) => kind,
    ({ name }) => name,
  )
  await until(() => asked > 0)
  await beside.mset(mark, `next ${before}`, key, bytes ?? '')
  restored.resolve()
  t.equal(await answer, 'StoreUnavailable')
  client.get = get
  await serves(server)
  t.match(await server.store.families.rotate(presented(living, 2)), { kind: 'rotated' })
  await until(() =>
    server.store.families.rotate(presented({ ...living, sid: 'unknown' }, 1)).then(
      ({ kind }) => kind === 'refused',
      () => false,
    ),
  )
})

t.test('an account whose name was read late has its name again', async t => {
  const { store, backups } = await open(t, await redisUrl(t, false))
  await store.directory.add(someAccount('erin'))
  const file = join(folder(t), 'store.backup')
  await Object(store).client.hdel(`lk:names:${nameShard('name of erin')}`, 'name of erin')
  await backups.save(file)
  await backups.restore(file, { replace: true })
  await serves({ store })
  t.match(await store.directory.byName('name of erin'), { sub: 'erin' })
})

t.test('the command line: words, JSON, a bar, exit codes', async t => {
  const { latchkey, withStore, directory } = commandLine(t)
  await withStore(store => store.directory.add(someAccount('erin')))
  const file = join(directory, 'store.backup')
  t.match(await latchkey(`store backup ${file}`), {
    code: 0,
    out: /^backed up into .*store\.backup: 1 account, 0 sessions, 0 revoked tokens, as of 20/,
  })
  t.match(await latchkey(`store backup ${file}`), { code: 1, err: /is there already/ })
  t.match(await latchkey(`store restore ${file}`), { code: 1, err: /--replace/ })
  t.match((await latchkey(`store restore ${file} --replace --json`)).records, [
    { outcome: 'restored', accounts: 1 },
  ])
  t.match(await latchkey(`store restore ${file} --replace`), {
    code: 0,
    out: /restored from .*\nEverything in it is 0 minutes old/,
  })
  mkdirSync(join(directory, 'folder'))
  t.match(await latchkey(`store restore ${join(directory, 'folder')} --replace`), {
    code: 1,
  })
})
