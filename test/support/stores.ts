// Both stores, made alike, for the suites that run on each of them.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { userTag } from '../../src/base/ids.ts'
import type { FamilyRef, Login, Presented } from '../../src/stores/ports/families.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import type { NewAccount, Pending } from '../../src/stores/ports/directory.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { declarationsOf } from '../../src/users/attributes/declarations.ts'
import { createNameLogins } from '../../src/users/attributes/login-texts.ts'
import { createHandClock, type HandClock } from './clock.ts'
import { startMasters } from './redis-cluster.ts'
import { startRedis, type TestRedis } from './redis.ts'
import { PATIENT } from './until.ts'

const DAY = 86_400_000

/** A family's record as it was once; undefined: there was none. */
export type Copy = () => Promise<void>

export interface TestStore {
  readonly store: Store
  readonly clock: HandClock
  /**
   * How much earlier than by that clock its records may go: a server that expires them goes by its own. In
   * milliseconds.
   */
  readonly earlyMs: number
  /** Copies a family's record; calling the copy puts it back, as a failover that lost the writes since. */
  copy(ref: FamilyRef): Promise<Copy>
  /** In how many milliseconds each count of failed logins goes by itself. */
  loginCountLives(): Promise<number[]>
  /** Takes the store away under its user's feet. */
  fail(): Promise<void>
  /** Lets go of everything. */
  stop(): Promise<void>
}

export const STORES: ReadonlyArray<{
  readonly name: string
  readonly create: () => Promise<TestStore>
}> = [
  { name: 'SQLite', create: createSqlite },
  { name: 'Redis', create: () => createRedis(() => startRedis()) },
]

/** The same, and Redis Cluster: for what doesn't take long. */
export const STORES_AND_CLUSTER: typeof STORES = [
  ...STORES,
  {
    name: 'Redis Cluster',
    create: () => createRedis(() => startRedis({ cluster: true })),
  },
]

/** The same, and a cluster of several masters: for what lies in several slots. */
export const STORES_AND_MASTERS: typeof STORES = [
  ...STORES_AND_CLUSTER,
  { name: 'Redis Cluster of three masters', create: () => createRedis(startMasters) },
]

export async function createSqlite(): Promise<TestStore> {
  const clock = createHandClock()
  // In memory where the system has such a place: every step is synced to the disk otherwise, as it should be.
  const dir = mkdtempSync(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'latchkey-sqlite-'),
  )
  const file = join(dir, 'test.db')
  const store = createSqliteStore({ file, clock })
  const beside = new DatabaseSync(file)
  const select = beside.prepare(
    'SELECT prev, cur, cur_at, idle_until, ended, late_count FROM families WHERE user_tag = ? AND sid = ?',
  )
  const update = beside.prepare(`UPDATE families
    SET prev = :prev, cur = :cur, cur_at = :cur_at, idle_until = :idle_until,
      ended = :ended, late_count = :late_count
    WHERE user_tag = :userTag AND sid = :sid`)
  return {
    store,
    clock,
    earlyMs: 0,
    async copy({ userTag, sid }) {
      const row = select.get(userTag, sid)
      return async () => {
        update.run({ ...row, userTag, sid })
      }
    },
    loginCountLives: async () =>
      beside
        .prepare('SELECT gone_at - ? AS ms FROM login_counts')
        .all(clock())
        .map(({ ms }) => Number(ms)),
    fail: () => store.close(),
    async stop() {
      await store.close()
      beside.close()
      rmSync(dir, { recursive: true })
    },
  }
}

export async function createRedis(
  start: () => Promise<Pick<TestRedis, 'url' | 'stop'>>,
): Promise<TestStore> {
  const clock = createHandClock()
  const server = await start()
  const store = await createRedisStore({ ...PATIENT, url: server.url, clock })
  return {
    store,
    clock,
    earlyMs: 10_000,
    async copy({ userTag, sid }) {
      const key = `lk:{${userTag}}:f:${sid}`
      const [dump, ttl] = await Promise.all([
        store.client.dumpBuffer(key),
        store.client.pttl(key),
      ])
      return async () => {
        await store.client.restore(key, ttl, dump, 'REPLACE')
      }
    },
    loginCountLives: async () =>
      Promise.all(
        (await store.client.keys('lk:{login}:*')).map(key => store.client.pttl(key)),
      ),
    fail: () => server.stop(),
    async stop() {
      await store.close()
      await server.stop()
    },
  }
}

/** What a directory and its accounts go by where no attribute is declared. */
export const NO_ATTRIBUTES = {
  declarations: () => declarationsOf({}),
  login: () => ['name'],
  checkClaims: () => undefined,
}

/** What imports say of texts where nobody logs in but by a name. */
export const NAME_LOGINS = createNameLogins(NO_ATTRIBUTES)

/** An account that no other test has. */
export function someAccount(sub: string, changes: Partial<NewAccount> = {}): NewAccount {
  return {
    sub,
    tag: userTag(sub),
    name: `Name of ${sub}`,
    foldedName: `name of ${sub}`,
    passwordHash: '$argon2id$first',
    scopes: null,
    roles: [],
    disabled: false,
    attributes: {},
    emailVerified: false,
    uniqueValues: [],
    ...changes,
  }
}

let people = 0

/** Adds an account that no other test has; gives its tag. */
export async function addSomeone(
  { directory }: Pick<Store, 'directory'>,
  changes?: Partial<NewAccount>,
): Promise<string> {
  people += 1
  const account = someAccount(`user-${people}`, changes)
  await directory.add(account)
  return account.tag
}

let families = 0

/** Where a family would live. */
export function familyRef(userTag: string, sid: string): FamilyRef {
  return { userTag, sid }
}

/** A login of a user's first epoch, for a family that no other test has. */
export function someLogin(userTag: string, changes: Partial<Login> = {}): Login {
  families += 1
  return {
    userTag,
    sid: `family-${families}`,
    clientId: 'mobile',
    scope: 'profile',
    audience: [],
    sessionsEpoch: 1,
    idleMs: 14 * DAY,
    absoluteMs: 90 * DAY,
    ...changes,
  }
}

/** Opens a family for a user of the first epoch. */
export async function signIn(
  store: Store,
  userTag: string,
  changes: Partial<Login> = {},
): Promise<FamilyRef> {
  const { sid, ...login } = someLogin(userTag, changes)
  const outcome = await store.families.open({ ...login, sid })
  if (outcome.kind === 'refused') throw new Error(outcome.reason)
  return { userTag, sid }
}

/** A refresh token of a family, as its own client presents it. */
export function presented(
  { userTag, sid }: FamilyRef,
  generation: number,
  changes: Partial<Presented> = {},
): Presented {
  return {
    userTag,
    sid,
    generation,
    clientId: 'mobile',
    idleMs: 14 * DAY,
    reuseGraceMs: 10_000,
    lateRetry: 'burn',
    ...changes,
  }
}

/** What an iteration gives, as a list. */
export async function everyOne<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** Notes what an account waits for, of the version that it has; null: nothing. */
export async function notePending(
  directory: Pick<Store['directory'], 'byTag' | 'changePending'>,
  tag: string,
  pending: Pending | null,
): Promise<'changed' | 'superseded' | 'user_unknown'> {
  const { version = 0 } = (await directory.byTag(tag)) ?? {}
  return directory.changePending({ tag, version, pending, endsSessions: false })
}
