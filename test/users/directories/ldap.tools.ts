// Users of a real OpenLDAP log in at a real server: 1,000 entries, ldaps and StartTLS, groups, what goes
// wrong there, and whether the time of a refusal tells who exists.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Attribute, Change } from 'ldapts'
import { LDAP_CA } from '../../support/ldap.ts'
import { standardScore } from '../../support/mann-whitney.ts'
import { startLatchkey, STORES } from '../../support/server.ts'
import {
  SERVICE,
  ssha,
  startSlapd,
  SUFFIX,
  type Ldif,
  type Slapd,
} from '../../support/slapd.ts'

const USERS = 1_000
const WORDS = 'an entry of many years'
const PEOPLE = `ou=people,${SUFFIX}`
const GROUPS = `ou=groups,${SUFFIX}`
/** One run in two million is that far off by chance. */
const SUSPICIOUS = 5
const ROUNDS = 100

const dnOf = (uid: string) => `uid=${uid},${PEOPLE}`

const personLines = (uid: string): string[] => [
  'objectClass: inetOrgPerson',
  `uid: ${uid}`,
  `cn: ${uid}`,
  `sn: ${uid}`,
  `mail: ${uid}@example.org`,
  `userPassword: ${ssha(WORDS)}`,
]

const entries: Ldif[] = [
  [PEOPLE, 'objectClass: organizationalUnit', 'ou: people'],
  [GROUPS, 'objectClass: organizationalUnit', 'ou: groups'],
  ...Array.from({ length: USERS }, (_, index): Ldif => {
    const uid = `user${index}`
    return [dnOf(uid), ...personLines(uid)]
  }),
  // The name of somebody, twice.
  [
    `cn=twice,${PEOPLE}`,
    ...personLines('user7').map(line => line.replace(/^cn: .*/, 'cn: twice')),
  ],
  // Somebody without a password, and a reference to another server.
  [dnOf('mute'), 'objectClass: inetOrgPerson', 'uid: mute', 'cn: mute', 'sn: mute'],
  [
    `ou=elsewhere,${PEOPLE}`,
    'objectClass: referral',
    'objectClass: extensibleObject',
    'ou: elsewhere',
    'ref: ldap://127.0.0.1:1/ou=elsewhere,dc=example,dc=org',
  ],
]

async function start(t: Test, slapd: Slapd, storeUrl: string, more: object = {}) {
  const server = await startLatchkey({
    storeUrl,
    // Of all servers of a store.
    secret: 's'.repeat(43),
    config: {
      log: { level: 'warn' },
      attributes: { email: {} },
      directory: { recheck: '1s' },
      directories: [
        {
          name: 'staff',
          type: 'ldap',
          url: slapd.ldaps,
          caFile: LDAP_CA,
          serverName: 'redis.test',
          bindDn: SERVICE.dn,
          password: SERVICE.password,
          base: PEOPLE,
          filter: '(&(objectClass=inetOrgPerson)(uid={name}))',
          attributes: { email: 'mail' },
          groups: {
            attribute: 'memberOf',
            base: GROUPS,
            filter: '(&(objectClass=groupOfNames)(member={dn}))',
            roles: { [`cn=admins,${GROUPS}`]: 'admin', [`cn=ops,${GROUPS}`]: 'operator' },
          },
          timeout: '2s',
          sub: 'external',
          ...more,
        },
      ],
    },
  })
  t.teardown(() => server.stop())
  const post = (form: Record<string, string>) =>
    fetch(`${server.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'mobile', ...form }),
    })
  return {
    server,
    login: (username: string, password = WORDS) =>
      post({ grant_type: 'password', username, password }),
    refresh: (token: string) =>
      post({ grant_type: 'refresh_token', refresh_token: token }),
  }
}

type World = Awaited<ReturnType<typeof start>>

const read = async (answer: Response | Promise<Response>) =>
  JSON.parse(await (await answer).text())

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString())

async function statusesOf(answers: readonly Promise<Response>[]): Promise<number[]> {
  const statuses: number[] = []
  for (const answer of await Promise.all(answers)) {
    await answer.arrayBuffer()
    statuses.push(answer.status)
  }
  return statuses
}

const slapd = await startSlapd(t, entries)
await slapd.change(async client => {
  const group = (cn: string, member: string[]) =>
    client.add(`cn=${cn},${GROUPS}`, { objectClass: 'groupOfNames', cn, member })
  await group('admins', [dnOf('user1'), dnOf('user2')])
  await group('ops', [dnOf('user1')])
})

for (const { name, make } of STORES) {
  // What comes from the store is the same by both.
  const scheme = name === 'SQLite' ? 'ldap' : 'ldaps'
  t.test(`OpenLDAP by ${scheme}, on ${name}`, async t => {
    const { url, remove } = await make()
    t.teardown(remove)
    const world = await start(t, slapd, url, { url: slapd[scheme] })
    await t.test('users', t => usersTest(t, world))
    await t.test('refusals', t => refusalTest(t, world))
    if (scheme === 'ldaps') await t.test('away', t => awayTest(t, world))
  })
}

async function usersTest(t: Test, { login, refresh }: World): Promise<void> {
  const some = Array.from({ length: 40 }, (_, index) => `user${index * 20 + 1}`)
  // The first one connects.
  t.same(await statusesOf([login('user1')]), [200])
  t.same(await statusesOf(some.map(uid => login(uid))), Array(40).fill(200))
  const { access_token: token } = await read(login('user1'))
  const [entry] = await slapd.change(async client => {
    const found = await client.search(dnOf('user1'), {
      scope: 'base',
      attributes: ['entryUUID'],
    })
    return found.searchEntries
  })
  const claims = claimsOf(token)
  t.equal(claims.sub, entry?.['entryUUID'])
  t.same([...claims.roles].sort(), ['admin', 'operator'])

  // A rename there keeps the user, and who leaves loses the sessions.
  await slapd.change(client => client.add(dnOf('temp'), addOf('temp')))
  const first = await read(login('temp'))
  await slapd.change(client => client.modifyDN(dnOf('temp'), 'uid=renamed'))
  const second = await read(login('renamed'))
  t.equal(claimsOf(second.access_token).sub, claimsOf(first.access_token).sub)
  t.equal((await login('temp')).status, 400)
  await slapd.change(client => client.del(dnOf('renamed')))
  let token2 = second.refresh_token
  let status = 200
  for (let tries = 0; tries < 20 && status === 200; tries++) {
    await wait(300)
    const answer = await refresh(token2)
    status = answer.status
    token2 = (await read(answer)).refresh_token
  }
  t.equal(status, 400, 'gone there')

  // A new password there is the one here.
  await slapd.change(client =>
    client.modify(
      dnOf('user3'),
      new Change({
        operation: 'replace',
        modification: new Attribute({
          type: 'userPassword',
          values: [ssha('newer words')],
        }),
      }),
    ),
  )
  t.equal((await login('user3')).status, 400)
  t.equal((await login('user3', 'newer words')).status, 200)
}

const addOf = (uid: string) => ({
  objectClass: 'inetOrgPerson',
  uid,
  cn: uid,
  sn: uid,
  userPassword: ssha(WORDS),
})

async function refusalTest(t: Test, { login }: World): Promise<void> {
  for (const [username, password] of [
    ['user1', 'wrong'],
    ['user1', '\0'],
    ['user1', `${WORDS}\0`],
    ['user1', 'x'.repeat(1_025)],
    ['nobody', WORDS],
    ['user7', WORDS],
    ['mute', WORDS],
    ['*', WORDS],
    ['user1*', WORDS],
    ['*)(uid=*', WORDS],
    ['user1)(|(uid=*', WORDS],
    ['\\75ser1', WORDS],
    ["'; DROP TABLE users; --", WORDS],
  ] as const) {
    const answer = await login(username, password)
    t.equal(answer.status, 400, username)
    t.match((await read(answer)).error, /^invalid_(?:grant|request)$/)
  }
  const empty = await login('user1', '')
  t.equal(empty.status, 400, 'an empty password')
}

async function awayTest(t: Test, { login, refresh }: World): Promise<void> {
  let { refresh_token: token } = await read(login('user5'))
  for (const [what, stop, goOn] of [
    ['half open', () => slapd.signal('SIGSTOP'), () => slapd.signal('SIGCONT')],
    ['killed', () => slapd.kill(), () => slapd.start()],
  ] as const) {
    await stop()
    const until = performance.now() + 4_000
    const refreshes: number[] = []
    const statuses: number[] = []
    while (performance.now() < until) {
      const logins = statusesOf(Array.from({ length: 8 }, () => login('user5')))
      const startedAt = performance.now()
      const answer = await refresh(token)
      refreshes.push(performance.now() - startedAt)
      t.equal(answer.status, 200, 'sessions go on')
      token = (await read(answer)).refresh_token
      statuses.push(...(await logins))
      await wait(100)
    }
    t.ok(
      statuses.every(status => status === 503),
      `${what}: ${statuses.length} logins are 503`,
    )
    const away = await login('user5')
    t.equal(away.headers.get('retry-after'), '2')
    await away.arrayBuffer()
    // One or another may be slow on a busy machine.
    const [usual = 0] = refreshes.toSorted((a, b) => a - b).slice(refreshes.length / 2)
    t.ok(usual < 1_500, `${what}: no refresh waited for it (${usual.toFixed(0)} ms)`)
    await goOn()
    const backAt = performance.now()
    let status = 503
    while (status !== 200 && performance.now() - backAt < 20_000) {
      ;[status = 0] = await statusesOf([login('user5')])
      await wait(50)
    }
    const tookMs = performance.now() - backAt
    t.ok(tookMs < 20_000, `${what}: logins work again after ${tookMs.toFixed(0)} ms`)
  }
}

async function sqlite() {
  const [store] = STORES.filter(({ name }) => name === 'SQLite')
  if (store === undefined) throw new Error('no SQLite')
  return store.make()
}

t.test('what is set up wrong is no verdict', async t => {
  const { url, remove } = await sqlite()
  t.teardown(remove)
  for (const more of [
    { serverName: 'other.test' },
    { caFile: undefined },
    { password: 'wrong' },
    { base: 'ou=none,dc=example,dc=org' },
    { bindDn: undefined, password: undefined },
  ]) {
    const world = await start(t, slapd, url, more)
    const answer = await world.login('user1')
    t.equal(answer.status, 503, Object.keys(more).join())
    await answer.arrayBuffer()
    await world.server.stop()
  }
})

t.test('the time of a refusal does not tell who exists', async t => {
  const { url, remove } = await sqlite()
  t.teardown(remove)
  const { login } = await start(t, slapd, url)
  const kinds = ['nobody', 'user1', 'user7', 'mute']
  const times: number[][] = kinds.map(() => [])
  const answers = new Set<string>()
  for (let round = -40; round < ROUNDS; round++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const index = (turn + round + 40) % kinds.length
      const startedAt = performance.now()
      const answer = await login(String(kinds[index]), `guess ${round} ${index}`)
      answers.add(`${answer.status} ${await answer.text()}`)
      if (round >= 0) times[index]?.push(performance.now() - startedAt)
    }
  }
  t.equal(answers.size, 1)
  for (const [index, kind] of kinds.entries()) {
    const score = standardScore(times[index] ?? [], times[1] ?? [])
    t.ok(
      Math.abs(score) < SUSPICIOUS,
      `${kind} and a wrong password: ${score.toFixed(1)}`,
    )
  }
})
