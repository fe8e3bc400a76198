// The contract of `change` and `count` in stores/ports/directory.ts, on both stores and on a cluster.
import t from 'tap'
import type { AccountChange } from '../../src/stores/ports/directory.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import { presented, signIn, someAccount, STORES_AND_MASTERS } from '../support/stores.ts'

const email = (value: string) => ({ attribute: 'email', value })

for (const { name, create } of andPostgres(STORES_AND_MASTERS)) {
  t.test(`changes in ${name}`, async t => {
    const { store, stop } = await create()
    t.teardown(stop)
    const { directory, families } = store
    const [ann, bob] = ['ann', 'bob'].map(sub =>
      someAccount(sub, { uniqueValues: [email(sub)], attributes: { email: sub } }),
    )
    if (ann === undefined || bob === undefined) throw new Error('nobody')
    for (const account of [ann, bob]) t.equal(await directory.add(account), 'added')
    t.equal(await directory.count(), 2)
    const { tag } = ann
    const change = (more: Partial<AccountChange> = {}): AccountChange => ({
      tag,
      version: 0,
      attributes: { email: 'new' },
      emailVerified: true,
      uniqueValues: [email('new')],
      endsSessions: false,
      ...more,
    })
    const session = await signIn(store, tag)
    t.same(await directory.change(change({ version: 7 })), { kind: 'superseded' })
    t.same(await directory.change(change({ tag: 'nobody' })), { kind: 'user_unknown' })
    const taken = { name: 'Bob', foldedName: bob.foldedName }
    t.same(await directory.change(change(taken)), { kind: 'name_taken' })
    t.same(await directory.change(change({ uniqueValues: [email('bob')] })), {
      kind: 'value_taken',
      attribute: 'email',
    })
    t.equal(await directory.byValue(email('new')), undefined, 'nothing was changed')
    t.match(await directory.byTag(tag), { version: 0, attributes: { email: 'ann' } })
    const whole = {
      name: 'Other',
      foldedName: 'other',
      roles: ['writer'],
      scopes: ['a'],
      passwordHash: '$argon2id$other',
    }
    t.same(await directory.change(change(whole)), { kind: 'changed' })
    t.match(await directory.byName('other'), { tag, version: 1, ...whole })
    t.equal(await directory.byName(ann.foldedName), undefined)
    t.equal(await directory.byValue(email('ann')), undefined)
    t.match(await directory.byValue(email('new')), { tag })
    t.match(await families.rotate(presented(session, 1)), { kind: 'rotated' })
    const off = change({ version: 1, disabled: true, endsSessions: true })
    t.same(await directory.change(off), { kind: 'changed' })
    t.match(await families.rotate(presented(session, 2)), { kind: 'refused' })
    const found = await directory.search({ prefix: 'o', limit: 5 })
    t.strictSame(
      found.map(({ text }) => text),
      ['other'],
    )
  })
}
