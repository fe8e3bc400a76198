// Groups by SCIM: roles, and who has them, on both stores.
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { STORES } from '../../../conformance/helpers.ts'
import { roleValues } from '../../../../src/users/groups/role-values.ts'
import { someAccount } from '../../../support/stores.ts'
import { GROUP, PATCH_OP, scimOn, type ScimBench } from '../../../support/scim.ts'

async function addGroup(
  { call }: ScimBench,
  displayName: string,
  members: string[] = [],
) {
  const answer = await call('POST', '/Groups', {
    body: {
      schemas: [GROUP],
      displayName,
      members: members.map(value => ({ value })),
    },
  })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json()
}

/** The names of a group's members. */
async function membersOf({ call, server }: ScimBench, id: string): Promise<string[]> {
  const { members = [] } = (await call('GET', `/Groups/${id}`)).json()
  const accounts = await Promise.all(
    members.map(({ value }: { value: string }) => server.accounts.bySub(value)),
  )
  return accounts.map(account => account?.name ?? 'nobody').sort()
}

for (const store of STORES) {
  t.test(`members come and go, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, add, patch, server } = bench
    const ids = new Map<string, string>()
    for (const name of ['ann', 'bob', 'cid', 'dan']) ids.set(name, (await add(name)).id)
    const of = (...names: string[]) => names.map(name => ({ value: ids.get(name) }))
    const group = await addGroup(bench, 'staff', [String(ids.get('ann'))])
    t.match(group, {
      schemas: [GROUP],
      displayName: 'staff',
      role: 'staff',
      members: [{ value: ids.get('ann'), type: 'User' }],
      meta: { resourceType: 'Group', version: /^W\// },
    })
    const path = `/Groups/${group.id}`
    const rows: ReadonlyArray<[operations: object[], members: string[]]> = [
      [
        [{ op: 'Add', path: 'members', value: of('bob', 'cid', 'ann') }],
        ['ann', 'bob', 'cid'],
      ],
      [[{ op: 'Remove', path: 'members', value: of('bob', 'dan') }], ['ann', 'cid']],
      [[{ op: 'remove', path: `members[value eq "${ids.get('ann')}"]` }], ['cid']],
      [[{ op: 'add', value: { members: of('dan') } }], ['cid', 'dan']],
      [[{ op: 'replace', path: 'members', value: of('ann', 'bob') }], ['ann', 'bob']],
      [
        [{ op: 'replace', path: null, value: { id: group.id, displayName: 'crew' } }],
        ['ann', 'bob'],
      ],
      [[{ op: 'remove', path: 'members' }], []],
      [[{ op: 'add', path: 'members', value: of('ann') }], ['ann']],
    ]
    for (const [operations, members] of rows) {
      const answer = await patch(path, operations)
      t.equal(answer.statusCode, 200, answer.body)
      t.strictSame(await membersOf(bench, group.id), members, JSON.stringify(operations))
    }
    const ann = (await call('GET', `/Users/${ids.get('ann')}`)).json()
    t.match(ann.groups, [{ value: group.id, display: 'crew', type: 'direct' }])
    t.strictSame((await server.accounts.find('ann'))?.roles, ['staff'], 'the role stays')
    const put = await call('PUT', path, {
      body: {
        schemas: [GROUP],
        displayName: 'crew',
        members: of('cid'),
        externalId: 'g-1',
      },
    })
    t.match(put.json(), { externalId: 'g-1', members: of('cid') })
    const same = await call('PUT', path, {
      body: {
        schemas: [GROUP],
        displayName: 'crew',
        members: of('cid'),
        externalId: 'g-1',
      },
    })
    t.match(same.json().members, of('cid'))
    t.notOk('externalId' in (await call('GET', path, { as: 'entra' })).json())
    // By the command line, too.
    await server.accounts.setAccess('dan', { scopes: null, roles: ['staff', 'other'] })
    t.strictSame(await membersOf(bench, group.id), ['cid', 'dan'])
    t.equal((await call('DELETE', `/Users/${ids.get('cid')}`)).statusCode, 204)
    t.strictSame(await membersOf(bench, group.id), ['dan'])
    t.equal((await call('DELETE', path)).statusCode, 204)
    t.equal((await call('GET', path)).statusCode, 404)
    t.equal((await call('DELETE', path)).statusCode, 404)
    t.strictSame((await server.accounts.find('dan'))?.roles, ['other'])
    t.match(
      server.lines.join(''),
      /"group.changed".*"change":"removed","actor":"token:okta"/,
    )
  })

  t.test(`what is refused changes nothing, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, add, patch } = bench
    const { id: ann } = await add('ann')
    const group = await addGroup(bench, 'staff', [ann])
    const other = await addGroup(bench, 'other')
    await call('PUT', `/Groups/${other.id}`, {
      body: { schemas: [GROUP], displayName: 'others', externalId: 'x' },
    })
    const path = `/Groups/${group.id}`
    const before = (await call('GET', path)).body
    const gone = { value: 'nobody' }
    const rows: ReadonlyArray<[operation: object, status: number, scimType: string]> = [
      [{ op: 'add', path: 'members', value: [gone] }, 400, 'invalidValue'],
      [{ op: 'add', path: 'members', value: [{ display: 'x' }] }, 400, 'invalidValue'],
      [{ op: 'replace', path: 'displayName', value: 'OTHERS' }, 409, 'uniqueness'],
      [{ op: 'replace', path: 'displayName', value: 'a b' }, 400, 'invalidValue'],
      [{ op: 'replace', path: 'displayName', value: 7 }, 400, 'invalidValue'],
      [{ op: 'remove', path: 'displayName' }, 400, 'mutability'],
      [{ op: 'replace', path: 'externalId', value: 'x' }, 409, 'uniqueness'],
      [{ op: 'replace', path: 'externalId', value: 7 }, 400, 'invalidValue'],
      [{ op: 'replace', path: 'role', value: 'x' }, 400, 'mutability'],
    ]
    for (const [operation, status, scimType] of rows) {
      const answer = await patch(path, [{ op: 'remove', path: 'members' }, operation])
      t.equal(answer.statusCode, status, answer.body)
      t.match(answer.json(), { scimType }, JSON.stringify(operation))
      t.equal((await call('GET', path)).body, before)
    }
    const posts: ReadonlyArray<[body: object, status: number]> = [
      [{ displayName: 'new' }, 400],
      [{ schemas: [GROUP] }, 400],
      [{ schemas: [GROUP], displayName: 'Staff' }, 409],
      [{ schemas: [GROUP], displayName: 'other' }, 409],
      [{ schemas: [GROUP], displayName: 'a,b' }, 400],
      [{ schemas: [GROUP], displayName: 'new', members: 'x' }, 400],
      [{ schemas: [GROUP], displayName: 'new', members: [gone] }, 400],
      [{ schemas: [GROUP], displayName: 'new', members: Array(50_001).fill({}) }, 400],
    ]
    for (const [body, status] of posts) {
      t.equal(
        (await call('POST', '/Groups', { body })).statusCode,
        status,
        JSON.stringify(body),
      )
    }
    const named = { schemas: [GROUP], displayName: 'Sales Team' }
    t.match((await call('POST', '/Groups', { body: named })).json(), {
      detail: /^displayName is the name of a role here: .+ without blanks, commas/,
    })
    const { version } = JSON.parse(before).meta
    const headers = { 'if-match': 'W/"x.0"' }
    t.equal((await call('DELETE', path, { headers })).statusCode, 412)
    const known = await call('GET', path, { headers: { 'if-none-match': version } })
    t.equal(known.statusCode, 304)
    const twice = await Promise.all(
      [1, 2].map(() =>
        call('POST', '/Groups', { body: { schemas: [GROUP], displayName: 'once' } }),
      ),
    )
    t.strictSame(twice.map(({ statusCode }) => statusCode).sort(), [201, 409])
  })

  t.test(
    `who has the role from an earlier release joins and leaves, ${store}`,
    async t => {
      const bench = await scimOn(t, store)
      const { patch, server } = bench
      const old = someAccount('old', { roles: ['staff'], uniqueValues: [] })
      await server.store.directory.add(old)
      const { id } = await addGroup(bench, 'staff')
      const members = async () =>
        (await bench.call('GET', `/Groups/${id}`)).json().members?.length ?? 0
      const joins = [{ op: 'add', path: 'members', value: [{ value: 'old' }] }]
      const changes = () =>
        server.lines.filter(line => line.includes('user.changed')).length
      const before = changes()
      t.equal((await patch(`/Groups/${id}`, joins)).statusCode, 200)
      t.equal(await members(), 1)
      t.equal(changes(), before, 'nobody has changed the account')
      const joined = await server.accounts.bySub('old')
      await addGroup(bench, 'other', ['old'])
      await patch(`/Groups/${id}`, joins)
      t.strictSame((await server.accounts.bySub('old'))?.roles, ['staff', 'other'])
      t.equal((await server.accounts.bySub('old'))?.version, Number(joined?.version) + 1)
      const known = someAccount('known', {
        roles: ['late'],
        uniqueValues: roleValues('known', ['late']),
      })
      await server.store.directory.add(known)
      await addGroup(bench, 'late', ['known'])
      t.equal((await server.accounts.bySub('known'))?.version, 0, 'it has its entry')
      const leaves = [{ op: 'remove', path: 'members[value eq "old"]' }]
      t.equal((await patch(`/Groups/${id}`, leaves)).statusCode, 200)
      t.strictSame((await server.accounts.bySub('old'))?.roles, ['other'])
      t.equal(await members(), 0)
    },
  )

  t.test(`two change a group at once, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, add, patch } = bench
    const { id: ann } = await add('ann')
    const { id: bob } = await add('bob')
    const set = (path: string, value: unknown) => [{ op: 'replace', path, value }]
    const joins = (value: string) => [{ op: 'add', path: 'members', value: [{ value }] }]
    const both = async (first: object[], second: object[], more = {}) => {
      const answers = await Promise.all([
        patch(path, first, more),
        patch(path, second, more),
      ])
      return answers.map(({ statusCode }) => statusCode).sort()
    }
    const group = await addGroup(bench, 'staff')
    const path = `/Groups/${group.id}`
    const ifMatch = async () => ({
      headers: { 'if-match': (await call('GET', path)).json().meta.version },
    })
    for (let turn = 0; turn < 5; turn++) {
      const [displayName, externalId] = [`crew-${turn}`, `g-${turn}`]
      const statuses = await both(
        set('displayName', displayName),
        set('externalId', externalId),
      )
      t.strictSame(statuses, [200, 200])
      t.match(
        (await call('GET', path)).json(),
        { displayName, externalId },
        'none is lost',
      )
    }
    t.strictSame(await both(joins(ann), joins(bob)), [200, 200])
    t.strictSame(await membersOf(bench, group.id), ['ann', 'bob'])
    const renames = [set('displayName', 'one'), set('displayName', 'other')] as const
    t.strictSame(await both(...renames, await ifMatch()), [200, 412])
    const leaves = { op: 'remove', path: `members[value eq "${ann}"]` }
    const moves = [[leaves], set('members', [])] as const
    t.strictSame(await both([...moves[0]], moves[1], await ifMatch()), [200, 412])
    const same = (await call('GET', path)).json().meta.version
    await patch(path, set('externalId', 'g-4'))
    t.equal((await call('GET', path)).json().meta.version, same, 'nothing was to be done')
    const more = await ifMatch()
    const ends = await Promise.all([
      call('DELETE', path, more),
      patch(path, set('displayName', 'late'), more),
    ])
    const done = ends.filter(({ statusCode }) => statusCode < 300)
    t.equal(done.length, 1, 'one wins')
    const last = await addGroup(bench, 'last')
    const any = { headers: { 'if-match': '*' } }
    t.equal((await call('DELETE', `/Groups/${last.id}`, any)).statusCode, 204)
  })

  t.test(`somebody changes a group between read and write, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, patch, server } = bench
    const { id: ann } = await bench.add('ann')
    const path = `/Groups/${(await addGroup(bench, 'staff')).id}`
    /** Lets another's change through after the call has read the group, once. */
    const overtakenBy = (other: () => Promise<LightMyRequestResponse>) => {
      const { groups } = server.store
      const load = groups.load.bind(groups)
      let reads = 0
      const stop = t.intercept(groups, 'load', {
        value: async () => {
          const list = await load()
          reads += 1
          if (reads === 1) t.equal((await other()).statusCode, 200)
          return list
        },
      })
      return () => {
        stop.restore()
        return reads
      }
    }
    const set = (attribute: string, value: string) => [
      { op: 'replace', path: attribute, value },
    ]
    let reads = overtakenBy(() => patch(path, set('externalId', 'g-1')))
    const renamed = await patch(path, set('displayName', 'crew'))
    t.equal(renamed.statusCode, 200, renamed.body)
    t.ok(reads() > 4, 'it has read again')
    t.match(
      (await call('GET', path)).json(),
      { displayName: 'crew', externalId: 'g-1' },
      'neither is lost',
    )

    reads = overtakenBy(() =>
      patch(path, [{ op: 'add', path: 'members', value: [{ value: ann }] }]),
    )
    const put = await call('PUT', path, {
      body: { schemas: [GROUP], displayName: 'team', members: [] },
    })
    t.equal(put.statusCode, 200, put.body)
    reads()
    t.strictSame(await membersOf(bench, path.slice('/Groups/'.length)), [], 'a whole')

    const { version } = (await call('GET', path)).json().meta
    reads = overtakenBy(() => patch(path, set('displayName', 'first')))
    const headers = { 'if-match': version }
    const late = await patch(path, set('displayName', 'second'), { headers })
    t.equal(late.statusCode, 412, late.body)
    reads()
    t.match((await call('GET', path)).json(), { displayName: 'first' })
  })

  t.test(`lists of groups, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, add } = bench
    const { id: ann } = await add('ann')
    for (const name of ['Staff', 'guests', 'guides', 'empty']) {
      await addGroup(bench, name, name === 'Staff' || name === 'guides' ? [ann] : [])
    }
    const [staff] = (await call('GET', '/Groups')).json().Resources
    await call('PUT', `/Groups/${staff.id}`, {
      body: {
        schemas: [GROUP],
        displayName: 'Staff',
        members: [{ value: ann }],
        externalId: 'g',
      },
    })
    const listed = async (query: Record<string, string>) => {
      const answer = await call('GET', `/Groups?${new URLSearchParams(query)}`)
      const body = answer.json()
      const names = body.Resources?.map(
        (each: { displayName: string }) => each.displayName,
      )
      return { body, names }
    }
    const rows: ReadonlyArray<[filter: string, names: string[]]> = [
      ['displayName eq "staff"', ['Staff']],
      ['displayName sw "gui"', ['guides']],
      [`id eq "${staff.id}"`, ['Staff']],
      ['externalId eq "g"', ['Staff']],
      [`members.value eq "${ann}"`, ['Staff', 'guides']],
      [`members[value eq "${ann}"] and displayName sw "G"`, ['guides']],
      ['members eq "nobody"', []],
    ]
    for (const [filter, names] of rows) {
      const found = await listed({ filter })
      t.strictSame(found.names, names, filter)
      t.equal(found.body.totalResults, names.length)
    }
    for (const filter of [
      'displayName co "a"',
      'displayName eq 7',
      'displayName pr',
      'members[members[value eq "x"]]',
      'urn:x:displayName eq "staff"',
    ]) {
      t.match((await listed({ filter })).body, { scimType: 'invalidFilter' }, filter)
    }
    t.notOk('members' in staff)
    const full = await listed({ attributes: 'members', count: '1' })
    t.match(full.body.Resources, [{ members: [{ value: ann }] }])
    const bare = await call('GET', `/Groups/${staff.id}?excludedAttributes=members`)
    t.notOk('members' in bare.json())
    const second = await listed({ startIndex: '2', count: '2' })
    t.strictSame(second.names, ['guests', 'guides'])
    const met: string[] = []
    let cursor = ''
    do {
      const { body, names } = await listed({ cursor, count: '3' })
      met.push(...names)
      cursor = body.nextCursor ?? ''
    } while (cursor !== '')
    t.strictSame(met, ['Staff', 'guests', 'guides', 'empty'])
    t.strictSame((await listed({ cursor: '', count: '0' })).names, [])
  })

  t.test(`an operator keeps the groups that they come by, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, server } = bench
    const [alice] = (await call('GET', '/Users?filter=userName eq "alice"')).json()
      .Resources
    const group = await addGroup(bench, 'operator', [alice.id])
    const token = (await server.login({ client_id: 'console', scope: 'scim' }))
      .access_token
    const headers = { authorization: `Bearer ${token}` }
    const path = `/Groups/${group.id}`
    t.equal((await call('DELETE', path, { headers })).statusCode, 403)
    const body = { schemas: [PATCH_OP], Operations: [{ op: 'remove', path: 'members' }] }
    t.equal((await call('PATCH', path, { headers, body })).statusCode, 403)
    const other = await addGroup(bench, 'guests')
    t.equal((await call('DELETE', `/Groups/${other.id}`, { headers })).statusCode, 204)
  })

  t.test(
    `a group of ten thousand, and one that two remove at once, ${store}`,
    async t => {
      const bench = await scimOn(t, store)
      const { call, server } = bench
      const accounts = Array.from({ length: 10_000 }, (_, index) => {
        const sub = `member-${String(index).padStart(5, '0')}`
        return someAccount(sub, {
          roles: ['crowd'],
          uniqueValues: roleValues(sub, ['crowd']),
        })
      })
      await server.store.directory.addAll(accounts)
      const { id, members } = await addGroup(bench, 'crowd')
      t.equal(members.length, 10_000, 'whoever has the role')
      const one = [{ op: 'remove', path: 'members', value: [{ value: 'member-00007' }] }]
      const patched = await bench.patch(`/Groups/${id}?excludedAttributes=members`, one)
      t.equal(patched.statusCode, 200)
      t.notOk('members' in patched.json())
      t.equal((await call('GET', `/Groups/${id}`)).json().members.length, 9_999)
      const renamed = await bench.patch(`/Groups/${id}`, [
        { op: 'replace', path: 'displayName', value: 'mass' },
      ])
      t.equal(renamed.json().members.length, 9_999)
      const small = await addGroup(bench, 'small')
      const twice = await Promise.all(
        [1, 2].map(() => call('DELETE', `/Groups/${small.id}`)),
      )
      t.strictSame(twice.map(({ statusCode }) => statusCode).sort(), [204, 404])
    },
  )

  t.test(`others are always faster, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { id } = await addGroup(bench, 'staff')
    const { groups } = bench.server.store
    let loads = 0
    t.intercept(groups, 'load', {
      value: async () => ({
        version: 1,
        groups: [
          {
            id,
            role: 'staff',
            displayName: 'staff',
            externalIds: {},
            createdAt: 0,
            updatedAt: 0,
            revision: loads++,
          },
        ],
      }),
    })
    const rename = [{ op: 'replace', path: 'displayName', value: 'crew' }]
    const answer = await bench.patch(`/Groups/${id}`, rename)
    t.match(answer.json(), { status: '400', scimType: 'tooMany', detail: /try again/ })
    t.equal(loads, 200, 'each try reads, and compares')
    const bound = { headers: { 'if-match': `W/"0.${loads}"` } }
    const removal = await bench.call('DELETE', `/Groups/${id}`, bound)
    t.match(removal.json(), { status: '412' })
  })

  t.test(`a filter reads each account once, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { id } = await bench.add('ann')
    for (const name of ['one', 'two', 'three']) await addGroup(bench, name, [id])
    const { accounts } = bench.server
    const calls = t.capture(accounts, 'bySub', accounts.bySub)
    const reads = async (filter: string) => {
      const answer = await bench.call('GET', `/Groups?${new URLSearchParams({ filter })}`)
      t.equal(answer.json().totalResults, 3)
      return calls().length
    }
    const term = `members.value eq "${id}"`
    t.equal(await reads(term), 1)
    t.equal(await reads(`${term} and members[value eq "${id}"]`), 1)
  })

  t.test(`half a surrogate pair is no text, ${store}`, async t => {
    const bench = await scimOn(t, store)
    for (const more of [
      { displayName: 'a\ud800' },
      { displayName: 'a', externalId: '\udc00' },
    ]) {
      const body = { schemas: [GROUP], ...more }
      const answer = await bench.call('POST', '/Groups', { body })
      t.match(answer.json(), { status: '400', scimType: 'invalidValue' })
    }
  })

  t.test(`a store that is away, ${store}`, async t => {
    const bench = await scimOn(t, store)
    await bench.server.store.close()
    t.equal((await bench.call('GET', '/Groups')).statusCode, 503)
  })
}
