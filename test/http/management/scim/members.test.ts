// Members of groups whose accounts can't be changed, on both stores.
import t, { type Test } from 'tap'
import { userTag } from '../../../../src/base/ids.ts'
import type { AccountChangeOutcome } from '../../../../src/stores/ports/directory.ts'
import { roleValues } from '../../../../src/users/groups/role-values.ts'
import { STORES } from '../../../conformance/helpers.ts'
import { someAccount } from '../../../support/stores.ts'
import { GROUP, scimOn, type ScimBench } from '../../../support/scim.ts'

const conflict = (sub: string, why: RegExp) => ({
  status: '409',
  detail: new RegExp(`^the user ${sub} can't be changed: ${why.source}`),
})

const OF_DIRECTORY = {
  status: '400',
  scimType: 'invalidValue',
  detail: /directory elsewhere/,
}

/** A group with those members, as a body. */
const group = (displayName: string, ...subs: string[]) => ({
  schemas: [GROUP],
  displayName,
  members: subs.map(value => ({ value })),
})

const rolesOf = async ({ server }: ScimBench, sub: string) =>
  (await server.accounts.bySub(sub))?.roles

/** A store that changes that account no more, and says why. */
function answerChangesOf(
  { server }: ScimBench,
  t: Test,
  { sub, outcome }: { sub: string; outcome: AccountChangeOutcome },
) {
  const { directory } = server.store
  const { change } = directory
  return t.intercept(directory, 'change', {
    value: async (asked: Parameters<typeof change>[0]) =>
      asked.tag === userTag(sub) ? outcome : change(asked),
  })
}

for (const store of STORES) {
  t.test(`who can't be changed is named, and never left out, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, add, patch } = bench
    const { id: ann } = await add('ann')
    const { id: bob } = await add('bob')
    const { id } = (
      await call('POST', '/Groups', { body: group('staff', ann, bob) })
    ).json()
    const path = `/Groups/${id}`
    // As where another account has that one's address.
    const outcome = { kind: 'value_taken', attribute: 'email' } as const
    const refusing = answerChangesOf(bench, t, { sub: ann, outcome })
    const taken = { scimType: 'uniqueness', ...conflict(ann, /email is taken$/) }
    const leaves = [{ op: 'remove', path: 'members' }]
    const left = await patch(path, leaves)
    t.match(left.json(), taken, 'a member who stays')
    const gone = await call('DELETE', path)
    t.match(gone.json(), taken, 'a group with a member who stays')
    t.match((await call('GET', path)).json().members, [{ value: ann }], 'it is there')
    t.strictSame(await rolesOf(bench, ann), ['staff'])
    t.strictSame(await rolesOf(bench, bob), [], 'the others have left')
    const joined = await call('POST', '/Groups', { body: group('crew', ann) })
    t.match(joined.json(), taken, 'a member who does not join')
    refusing.restore()
    t.equal((await patch(path, leaves)).statusCode, 200, 'the same request completes it')
    t.strictSame(await rolesOf(bench, ann), [])
    t.equal((await call('DELETE', path)).statusCode, 204)
  })

  t.test(`a member whom others always change first, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { id: ann } = await bench.add('ann')
    answerChangesOf(bench, t, { sub: ann, outcome: { kind: 'superseded' } })
    const answer = await bench.call('POST', '/Groups', { body: group('staff', ann) })
    t.match(answer.json(), conflict(ann, /too many change this account/))
    t.notOk('scimType' in answer.json(), 'RFC 7644 has none for it')
    t.strictSame(await rolesOf(bench, ann), [])
  })

  t.test(`the user of a directory elsewhere among others, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { call, add, patch, server } = bench
    const { id: ann } = await add('ann')
    const { id: bob } = await add('bob')
    const theirs = (sub: string, roles: string[] = []) =>
      someAccount(sub, {
        roles,
        uniqueValues: roleValues(sub, roles),
        external: { directory: 'app', id: sub },
      })
    await server.store.directory.add(theirs('eve'))
    await server.store.directory.add(theirs('fay', ['staff']))
    const post = await call('POST', '/Groups', { body: group('crew', ann, 'eve') })
    t.match(post.json(), OF_DIRECTORY)
    t.equal((await call('GET', '/Groups')).json().totalResults, 0, 'there is no group')
    t.strictSame(await rolesOf(bench, ann), [], 'nobody has joined')
    const made = await call('POST', '/Groups', { body: group('staff', ann, 'fay') })
    t.equal(made.statusCode, 201, 'who has the role from there is a member')
    const path = `/Groups/${made.json().id}`
    const before = (await call('GET', path)).json()
    const renames = { op: 'replace', path: 'displayName', value: 'crew' }
    const rows: ReadonlyArray<[op: string, path: string, value?: object[]]> = [
      ['add', 'members', [{ value: bob }, { value: 'eve' }]],
      ['remove', 'members', [{ value: ann }, { value: 'fay' }]],
      ['remove', 'members'],
    ]
    for (const [op, member, value] of rows) {
      const answer = await patch(path, [renames, { op, path: member, value }])
      t.match(answer.json(), OF_DIRECTORY)
      t.strictSame((await call('GET', path)).json(), before, `${op}: all is as it was`)
    }
    const put = await call('PUT', path, { body: group('crew', bob) })
    t.match(put.json(), OF_DIRECTORY)
    t.match((await call('DELETE', path)).json(), OF_DIRECTORY)
    t.strictSame((await call('GET', path)).json(), before)
    t.strictSame(await rolesOf(bench, ann), ['staff'])
    t.strictSame(await rolesOf(bench, bob), [])
    const others = await patch(path, [
      { op: 'add', path: 'members', value: [{ value: bob }] },
    ])
    t.equal(others.statusCode, 200, 'beside them others join')
  })
}
