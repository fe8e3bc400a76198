// Lists of users: filters that an index answers, pages by cursor and by index, and what is shown of each.
import t from 'tap'
import { systemRandom } from '../../../../src/base/random.ts'
import {
  createCursors,
  type Position,
} from '../../../../src/http/management/scim/cursor.ts'
import { readPage } from '../../../../src/http/management/scim/users/list-users.ts'
import type { Account } from '../../../../src/stores/ports/directory.ts'
import { STORES } from '../../../conformance/helpers.ts'
import { EXTENSION, GROUP, scimOn, USER, type ScimBench } from '../../../support/scim.ts'
import { someAccount } from '../../../support/stores.ts'

const account: Account = {
  ...someAccount('somebody'),
  sessionsEpoch: 1,
  createdAt: 0,
  updatedAt: 0,
  version: 0,
}

const SEARCH = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'

const listed = async ({ call }: ScimBench, query: Record<string, string>) => {
  const answer = await call('GET', `/Users?${new URLSearchParams(query)}`)
  const body = answer.json()
  return {
    status: answer.statusCode,
    body,
    names: body.Resources?.map((each: { userName: string }) => each.userName),
  }
}

for (const store of STORES) {
  t.test(`filters, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const ann = await bench.add('Ann', {
      externalId: 'hr-1',
      emails: [{ value: 'Ann@Example.com' }],
    })
    await bench.add('anton', { active: false })
    await bench.add('bob', {
      externalId: 'HR-1',
      emails: [{ value: 'anna@example.org' }],
    })
    const rows: ReadonlyArray<[filter: string, names: readonly string[]]> = [
      ['userName eq "ann"', ['Ann']],
      ['USERNAME EQ "ＡＮＮ"', ['Ann']],
      [`${USER}:userName eq "ann"`, ['Ann']],
      ['userName eq "an"', []],
      ['userName eq "a b"', []],
      ['userName sw "AN"', ['Ann', 'anton']],
      ['userName sw "an" and active eq false', ['anton']],
      ['active eq "True" and userName sw "an"', ['Ann']],
      ['userName sw "an" and userName eq "anton"', ['anton']],
      ['userName eq "ann" and userName sw "b"', []],
      [`id eq "${ann.id}"`, ['Ann']],
      ['id eq "nobody"', []],
      [`id eq "${ann.id}" and id eq "nobody"`, []],
      [`userName eq "bob" and id eq "${ann.id}"`, []],
      [`userName sw "ann" and id eq "${ann.id}"`, ['Ann']],
      ['externalId eq "hr-1"', ['Ann']],
      ['externalId eq "hr-2"', []],
      ['userName eq "bob" and externalId eq "hr-1"', []],
      ['userName eq "ann" and externalId eq "hr-1"', ['Ann']],
      ['emails.value eq "ANN@example.COM"', ['Ann']],
      ['emails eq "ann@example.com"', ['Ann']],
      ['emails[value eq "ann@example.com"]', ['Ann']],
      ['emails.value eq "nonsense"', []],
      ['emails.value sw "ann"', ['Ann', 'bob']],
      ['emails.value sw "ann" and userName eq "anton"', []],
      ['emails.value eq "ann@example.com" and userName eq "ann"', ['Ann']],
      ['emails.value eq "ann@example.com" and userName eq "anton"', []],
      ['(userName eq "ann")', ['Ann']],
      ['active eq false', ['anton']],
      ['active eq true', ['alice', 'Ann', 'bob']],
    ]
    for (const [filter, names] of rows) {
      const found = await listed(bench, { filter })
      t.strictSame(found.names, names, filter)
      t.equal(found.body.totalResults, names.length, filter)
    }
    const refused = [
      'userName eq',
      'userName zz "a"',
      `${'a'.repeat(5000)} eq "x"`,
      `${'('.repeat(40)}userName eq "a"${')'.repeat(40)}`,
      'userName eq "a" foo',
      'userName co "a"',
      'userName ne "a"',
      'userName sw 7',
      'userName pr',
      'id sw "a"',
      'externalId sw "a"',
      'active ne true',
      'active eq "perhaps"',
      'not (userName eq "a")',
      'userName eq "a" or userName eq "b"',
      'title eq "x"',
      'displayName eq "x"',
      `${EXTENSION}:userName eq "ann"`,
      'emails[emails[value eq "x"]]',
      'emails[type eq "work"]',
      'meta.created gt "2020"',
      '(userName eq "a"',
      'userName eq "a\nb"',
      '',
    ]
    for (const filter of refused) {
      const answer = await listed(bench, { filter })
      t.equal(answer.status, 400, filter)
      t.match(answer.body, { scimType: 'invalidFilter' }, filter)
    }
    bench.server.live.attributes = { email: { list: false, unique: false } }
    const noIndex = await listed(bench, { filter: 'emails.value eq "ann@example.com"' })
    t.match(noIndex.body, { scimType: 'invalidFilter', detail: /unique: true/ })
  })

  t.test(`pages by cursor meet everybody once, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const ids: string[] = []
    for (let index = 0; index < 25; index++) {
      ids.push((await bench.add(`user-${String(index).padStart(2, '0')}`)).id)
    }
    for (const filter of [undefined, 'userName sw "user"', 'active eq true']) {
      const met: string[] = []
      let cursor = ''
      do {
        const query: Record<string, string> = { cursor, count: '4' }
        if (filter !== undefined) query['filter'] = filter
        const { body, names } = await listed(bench, query)
        met.push(...names)
        t.notOk('startIndex' in body)
        t.equal(body.totalResults, filter === undefined ? 26 : undefined)
        cursor = body.nextCursor ?? ''
      } while (cursor !== '')
      t.strictSame(
        met.filter(name => name !== 'alice').sort(),
        ids.map((_, index) => `user-${String(index).padStart(2, '0')}`),
        filter ?? 'all',
      )
    }
    const one = await listed(bench, { cursor: '', filter: 'userName eq "alice"' })
    t.strictSame(one.names, ['alice'])
    const none = await listed(bench, { cursor: '', filter: 'userName sw "zzz"' })
    t.strictSame(none.names, [])
    const first = await listed(bench, { cursor: '', count: '4' })
    const cursor: string = first.body.nextCursor
    t.notMatch(Buffer.from(cursor, 'base64url').toString('latin1'), /u_|user-/)
    // What was on the page goes: nobody behind it is lost.
    for (const { id } of first.body.Resources) await bench.call('DELETE', `/Users/${id}`)
    const next = await listed(bench, { cursor, count: '200' })
    t.equal(next.names.length, 22)
    const other = await listed(bench, { cursor, filter: 'active eq true' })
    t.match(other.body, { status: '400', scimType: 'invalidCursor' })
    for (const broken of ['x', cursor.slice(0, -2), `${cursor.slice(0, -4)}AAAA`]) {
      t.match((await listed(bench, { cursor: broken })).body, {
        scimType: 'invalidCursor',
      })
    }
    const stolen = await bench.call('GET', `/Users?cursor=${cursor}`, { as: 'entra' })
    t.equal(stolen.statusCode, 400)
  })

  t.test(`pages by index, ${store}`, async t => {
    const bench = await scimOn(t, store)
    for (const name of ['ann', 'bob', 'cid']) await bench.add(name)
    const rows: ReadonlyArray<
      [query: Record<string, string>, names: readonly string[], total: number]
    > = [
      [{}, ['alice', 'ann', 'bob', 'cid'], 4],
      [{ startIndex: '1', count: '2' }, ['alice', 'ann'], 4],
      [{ startIndex: '3', count: '2' }, ['bob', 'cid'], 4],
      [{ startIndex: '4', count: '2' }, ['cid'], 4],
      [{ startIndex: '9', count: '2' }, [], 4],
      [{ startIndex: '0', count: '1' }, ['alice'], 4],
      [{ startIndex: '-3', count: '1' }, ['alice'], 4],
      [{ count: '0' }, [], 4],
      [{ count: '-1' }, [], 4],
      [{ count: '1000' }, ['alice', 'ann', 'bob', 'cid'], 4],
      [{ startIndex: '2', count: '1', filter: 'userName sw "a"' }, ['ann'], 2],
      [{ startIndex: '2', filter: 'userName eq "ann"' }, [], 1],
      [{ startIndex: '100000' }, [], 4],
      [{ count: '0', filter: 'userName sw "a"' }, [], 2],
    ]
    for (const [query, names, total] of rows) {
      const found = await listed(bench, query)
      t.strictSame(found.names, names, JSON.stringify(query))
      t.match(found.body, { totalResults: total, itemsPerPage: names.length })
    }
    const names = Array.from({ length: 101 }, (_, index) => `n${index}`).join()
    t.equal((await listed(bench, { attributes: names })).status, 400, 'too many names')
    const none = await listed(bench, { cursor: '', count: '0' })
    t.match(none.body, { totalResults: 4, itemsPerPage: 0 })
    t.notOk('nextCursor' in none.body, 'a page of none leads nowhere')
    for (const query of [{ count: 'x' }, { startIndex: '1.5' }, { count: '' }]) {
      t.equal((await listed(bench, query as Record<string, string>)).status, 400)
    }
    const twice = await bench.call('GET', '/Users?filter=id eq "a"&filter=id eq "b"')
    t.equal(twice.statusCode, 400)
  })
}

for (const store of STORES) {
  t.test(`a page has 200 at the most, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const many = Array.from({ length: 205 }, (_, each) => someAccount(`many-${each}`))
    await bench.server.store.directory.addAll(many)
    const first = await listed(bench, { count: '1000' })
    t.match(first.body, { totalResults: 206, itemsPerPage: 200 })
    t.equal(new Set(first.names).size, 200)
    const cursor = await listed(bench, { count: '1000', cursor: '' })
    t.strictSame(cursor.names, first.names, 'in the same order by cursor')
    const rest = await listed(bench, { cursor: cursor.body.nextCursor })
    t.equal(new Set([...first.names, ...rest.names]).size, 206)
  })
}

t.test('a page reads in steps, whatever its size', async t => {
  const everybody = Array.from({ length: 5_000 }, (_, index) => ({
    ...account,
    sub: String(index),
  }))
  const cursors = createCursors([Buffer.alloc(32).toString('base64url')], systemRandom)
  const pageOf = async (
    cursor: string,
    { count, isMeant }: { count: number; isMeant: (sub: number) => boolean },
  ) => {
    const limits: number[] = []
    const source = {
      kind: 'walk',
      async next(after: Position | undefined, limit: number) {
        limits.push(limit)
        const from = after === undefined ? 0 : Number(after) + 1
        return everybody
          .slice(from, from + limit)
          .map(each => ({ account: each, position: each.sub }))
      },
      isMeant: ({ sub }: Account) => isMeant(Number(sub)),
      count: undefined,
    } as const
    const request = { count, startIndex: 1, cursor }
    const page = await readPage(source, request, { cursors, list: [] })
    return { subs: page.accounts.map(({ sub }) => Number(sub)), limits, ...page }
  }
  const rare = { count: 1, isMeant: (sub: number) => sub % 250 === 249 }
  const first = await pageOf('', rare)
  t.strictSame(first.subs, [249])
  t.strictSame(first.limits, [2, 101, 101, 101])
  const second = await pageOf(String(first.nextCursor), rare)
  t.strictSame(second.subs, [499], 'it goes on behind the last one that was returned')
  const dense = await pageOf('', { count: 10, isMeant: () => true })
  t.strictSame(dense.limits, [11], 'no more is read than is shown')
  const nobody = { count: 1500, isMeant: (sub: number) => sub === 2_000 }
  const none = await pageOf('', nobody)
  t.strictSame([none.subs, none.limits], [[], [1501, 501]], 'so many are looked at')
  const next = await pageOf(String(none.nextCursor), nobody)
  t.strictSame(next.subs, [2_000], 'and the next page begins behind them')
  const last = await pageOf('', { count: 2, isMeant: sub => sub > 4_997 })
  t.strictSame(last.subs, [])
  const final = { count: 3, isMeant: () => true }
  const end = await pageOf(cursors.seal('4996', []), final)
  t.strictSame([end.subs, end.nextCursor], [[4997, 4998, 4999], undefined])
  t.throws(() => createCursors([], systemRandom), { message: /no secret/ })
})

t.test('a page by index reads the accounts up to its end, and no more', async t => {
  const cursors = createCursors([Buffer.alloc(32).toString('base64url')], systemRandom)
  const limits: number[] = []
  const source = {
    kind: 'walk',
    async next(after: Position | undefined, limit: number) {
      limits.push(limit)
      const from = after === undefined ? 0 : Number(after) + 1
      return Array.from({ length: limit }, (_, each) => {
        const sub = String(from + each)
        return { account: { ...account, sub }, position: sub }
      })
    },
    isMeant: () => true,
    count: async () => 2_000,
  } as const
  const pageAt = async (startIndex: number) => {
    const request = { count: 100, startIndex, cursor: undefined }
    const page = await readPage(source, request, { cursors, list: [] })
    return page.accounts.map(({ sub }) => sub).filter((_, place) => place % 99 === 0)
  }
  t.strictSame(await pageAt(1), ['0', '99'])
  t.strictSame(limits.splice(0), [100])
  t.strictSame(await pageAt(1101), ['1100', '1199'])
  t.strictSame(limits.splice(0), [500, 500, 200])
})

t.test('a search by POST', async t => {
  const bench = await scimOn(t, 'SQLite')
  await bench.add('ann')
  const search = (body: object) => bench.call('POST', '/Users/.search', { body })
  const found = await search({
    schemas: [SEARCH],
    filter: 'userName eq "ann"',
    attributes: ['userName', 7],
    count: 5,
    startIndex: null,
  })
  t.strictSame(Object.keys(found.json().Resources[0]).sort(), [
    'id',
    'schemas',
    'userName',
  ])
  t.equal((await search({ filter: 'userName eq "ann"' })).statusCode, 400)
  t.equal((await search({ schemas: [SEARCH], count: {} })).statusCode, 400)
  const reader = await bench.call('POST', '/Users/.search', {
    as: 'reader',
    body: { schemas: [SEARCH] },
  })
  t.equal(reader.statusCode, 200)
})

t.test('a search of every kind', async t => {
  const { call, add, server } = await scimOn(t, 'SQLite')
  for (const name of ['ann', 'bob']) await add(name)
  for (const displayName of ['staff', 'guests']) {
    await call('POST', '/Groups', { body: { schemas: [GROUP], displayName } })
  }
  const search = async (more: object) => {
    const answer = await call('POST', '/.search', {
      body: { schemas: [SEARCH], ...more },
    })
    const { Resources = [], ...rest } = answer.json()
    const names = Resources.map(
      (each: Record<string, string>) => each['userName'] ?? each['displayName'],
    )
    return { status: answer.statusCode, names, ...rest }
  }
  const everybody = ['alice', 'ann', 'bob', 'staff', 'guests']
  t.match(await search({}), { names: everybody, totalResults: 5 })
  t.match(await search({ count: 2, startIndex: 3 }), {
    names: ['bob', 'staff'],
    totalResults: 5,
  })
  t.match(await search({ count: 2, startIndex: 5 }), {
    names: ['guests'],
    totalResults: 5,
  })
  t.match(await search({ filter: 'userName eq "ann"' }), {
    names: ['ann'],
    totalResults: 1,
  })
  t.match(await search({ filter: 'displayName eq "staff"' }), { names: ['staff'] })
  t.match(await search({ filter: 'title eq "x"' }), {
    status: '400',
    scimType: 'invalidFilter',
  })
  t.match(await search({ cursor: '' }), { scimType: 'invalidCursor' })
  t.match(await search({ count: 'x' }), { scimType: 'invalidCount' })
  await server.store.close()
  t.match(await search({}), { status: '503' })
})

t.test('what is shown', async t => {
  const { call, add } = await scimOn(t, 'SQLite')
  const { id } = await add('ann', {
    name: { givenName: 'Ann', familyName: 'Lee' },
    emails: [{ value: 'ann@example.com' }],
    [EXTENSION]: { tenant: 'acme', seats: 2 },
  })
  const get = async (query: string) => (await call('GET', `/Users/${id}?${query}`)).json()
  const always = { schemas: [USER, EXTENSION], id }
  const rows: ReadonlyArray<[query: string, shown: object]> = [
    ['attributes=userName', { ...always, userName: 'ann' }],
    ['attributes=userName.part', { ...always, userName: 'ann' }],
    ['attributes=USERNAME,active', { ...always, userName: 'ann', active: true }],
    [`attributes=${USER}:userName`, { ...always, userName: 'ann' }],
    ['attributes=name.givenName', { ...always, name: { givenName: 'Ann' } }],
    ['attributes=emails.value', { ...always, emails: [{ value: 'ann@example.com' }] }],
    [`attributes=${EXTENSION}:tenant`, { ...always, [EXTENSION]: { tenant: 'acme' } }],
    [
      `attributes=${EXTENSION}`,
      { ...always, [EXTENSION]: { emailVerified: false, tenant: 'acme', seats: 2 } },
    ],
    [
      `excludedAttributes=meta,name.familyName,emails.type,id,${EXTENSION}:tenant`,
      {
        ...always,
        userName: 'ann',
        name: { givenName: 'Ann' },
        emails: [{ value: 'ann@example.com' }],
        active: true,
        [EXTENSION]: { emailVerified: false, seats: 2 },
      },
    ],
  ]
  for (const [query, shown] of rows) t.strictSame(await get(query), shown, query)
  t.equal(
    (await call('GET', `/Users/${id}?attributes=a&excludedAttributes=b`)).statusCode,
    400,
  )
  t.equal((await call('GET', `/Users/${id}?attributes=a[`)).statusCode, 400)
  t.equal((await get('attributes=,')).userName, 'ann', 'nothing is asked for')
})

t.test('discovery', async t => {
  const { call } = await scimOn(t, 'SQLite')
  const documents = async (path: string) =>
    (await call('GET', path, { as: 'reader' })).json()
  const types = await documents('/ResourceTypes')
  t.match(types.Resources[0], { id: 'User', endpoint: '/Users', schema: USER })
  t.strictSame(await documents('/ResourceTypes/User'), types.Resources[0])
  const schemas = await documents('/Schemas')
  t.match(schemas.Resources.map(({ id }: { id: string }) => id).slice(0, 2), [
    USER,
    EXTENSION,
  ])
  t.strictSame(await documents(`/Schemas/${EXTENSION}`), schemas.Resources[1])
  t.equal((await call('GET', '/Schemas/nothing')).statusCode, 404)
  t.match(await documents('/ServiceProviderConfig'), {
    bulk: { supported: false, maxOperations: 0 },
    patch: { supported: true },
    pagination: { cursor: true },
  })
})
