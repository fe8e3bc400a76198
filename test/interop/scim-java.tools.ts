// SCIM as scim-sdk-client sees it, a library in Java that nobody here wrote: the life of users and groups,
// against the real process on both stores. Its answers are what its own model made of ours.
import t from 'tap'
import { lineProgramFor } from '../support/line-program.ts'
import { PROGRAMS } from '../support/programs.ts'
import { sha256Line, startLatchkey, STORES } from '../support/server.ts'
import { buildProgram } from '../support/toolchain.ts'

const TOKEN = `lks_${'j'.repeat(43)}`
const NAMES = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus']
const CONFIG = {
  scim: {
    tokens: [{ name: 'java', hashes: [sha256Line(TOKEN)] }],
    perClient: { max: 100_000, window: '1s' },
  },
  attributes: { email: { unique: true }, given_name: {}, family_name: {} },
}

const folder = await buildProgram(PROGRAMS.scimSdk)

for (const { name, make } of STORES) {
  t.test(`scim-sdk-client on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const server = await startLatchkey({ storeUrl: store.url, config: CONFIG })
    t.teardown(() => server.stop())
    const { ask } = lineProgramFor(
      t,
      'java',
      ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `@${folder}/arguments`, 'Life'],
      { SCIM_URL: `${server.managementUrl}/scim/v2`, SCIM_TOKEN: TOKEN },
    )
    const step = async (...words: readonly string[]) => {
      const line = await ask(words.join(' '))
      if (!line.startsWith('{')) throw new Error(`${words.join(' ')}: ${line}`)
      return JSON.parse(line)
    }
    const done = async (status: number, ...words: readonly string[]) => {
      const answer = await step(...words)
      t.match(answer, { status, success: true, valid: true }, words.join(' '))
      return answer
    }
    const refused = async (status: number, ...words: readonly string[]) => {
      const answer = await step(...words)
      t.match(
        answer,
        { status, success: false, valid: true, error: { status: String(status) } },
        words.join(' '),
      )
      return answer.error
    }
    const namesIn = ({ resources = [] }: { resources?: Array<{ userName: string }> }) =>
      resources.map(({ userName }) => userName).sort()
    const ids = new Map<string, string>()
    const id = (of: string) => ids.get(of) ?? ''

    await t.test('it is told what is supported', async t => {
      const told = await step('provider')
      t.match(told, { patch: true, filter: true, bulk: false, etag: true })
      t.ok(told.maxResults > 0)
    })

    await t.test('create, read, put', async t => {
      for (const userName of NAMES) {
        const { resource } = await done(201, 'create', userName)
        t.match(resource, { userName, active: true, meta: { resourceType: 'User' } })
        t.match(resource.emails, [{ value: `${userName}@example.com` }])
        ids.set(userName, resource.id)
      }
      t.match(await refused(409, 'create', 'ann'), { scimType: 'uniqueness' })
      t.match((await done(200, 'get', id('ann'))).resource, { userName: 'ann' })
      const { resource } = await done(200, 'put', id('gus'), 'gustav')
      t.match(resource, { id: id('gus'), userName: 'gustav' })
      t.match(resource.emails, [{ value: 'gustav@example.com' }])
      await refused(404, 'get', 'nobody')
    })

    await t.test('page', async t => {
      const met: string[] = []
      for (let at = 1, total = 1; at <= total; at += 3) {
        const page = await done(200, 'page', String(at), '3')
        total = page.total
        t.equal(page.resources.length, Math.min(3, total - at + 1))
        met.push(...namesIn(page))
      }
      // What getAll counts is what it is to give.
      for (const way of ['all', 'search']) {
        t.strictSame(namesIn(await done(200, way, '100')), met.toSorted(), way)
        t.equal((await done(200, way, '2')).resources.length, 2)
      }
      const everybody = [...NAMES.filter(each => each !== 'gus'), 'gustav']
      t.strictSame(met.filter(each => everybody.includes(each)).sort(), everybody)
      t.equal(new Set(met).size, met.length, 'each once')
    })

    await t.test('filter', async t => {
      const rows: ReadonlyArray<
        [attribute: string, by: string, value: string, names: string[]]
      > = [
        ['userName', 'EQ', 'bob', ['bob']],
        ['userName', 'EQ', 'BOB', ['bob']],
        ['userName', 'SW', 'gus', ['gustav']],
        ['emails.value', 'EQ', 'eve@example.com', ['eve']],
        ['userName', 'EQ', 'nobody', []],
        ['id', 'EQ', id('dan'), ['dan']],
      ]
      for (const [attribute, by, value, names] of rows) {
        const found = await done(200, 'filter', attribute, by, value)
        t.strictSame(namesIn(found), names, `${attribute} ${by} ${value}`)
        t.equal(found.total, names.length)
      }
      const error = await refused(400, 'filter', 'userName', 'CO', 'a')
      t.match(error, { scimType: 'invalidFilter' })
    })

    await t.test('patch', async t => {
      const { resource } = await done(200, 'patch', id('bob'), 'baker')
      t.match(resource, {
        active: false,
        name: { givenName: 'bob', familyName: 'baker' },
      })
      t.match(resource.emails, [{ value: 'baker@example.com' }])
      t.strictSame((await done(200, 'get', id('bob'))).resource, resource)
      await refused(404, 'patch', 'nobody', 'x')
    })

    await t.test('groups', async t => {
      const { resource: group } = await done(201, 'group', 'staff', id('ann'))
      t.match(group, { displayName: 'staff', members: [{ value: id('ann') }] })
      const membersAfter = async (...words: readonly string[]) => {
        const { resource } = await done(200, ...words)
        return (resource.members ?? [])
          .map(({ value }: { value: string }) => value)
          .sort()
      }
      const all = ['ann', 'cid', 'dan'].map(id).sort()
      t.strictSame(
        await membersAfter('join', group.id, [id('cid'), id('dan')].join(',')),
        all,
      )
      t.strictSame(
        await membersAfter('leave', group.id, id('cid')),
        all.filter(each => each !== id('cid')),
      )
      const found = await done(200, 'groups', 'EQ', 'staff')
      t.match(found, { total: 1, resources: [{ id: group.id }] })
      t.match((await done(200, 'get', id('ann'))).resource.groups, [{ value: group.id }])
      t.match(await refused(409, 'group', 'staff', id('ann')), { scimType: 'uniqueness' })
      await refused(400, 'join', group.id, 'nobody')
      await done(204, 'disband', group.id)
      await refused(404, 'disband', group.id)
      t.notOk('groups' in (await done(200, 'get', id('ann'))).resource)
    })

    await t.test('delete, and the name is free', async t => {
      await done(204, 'remove', id('ann'))
      await refused(404, 'get', id('ann'))
      await refused(404, 'remove', id('ann'))
      const { resource } = await done(201, 'create', 'ann')
      t.not(resource.id, id('ann'))
    })
  })
}
