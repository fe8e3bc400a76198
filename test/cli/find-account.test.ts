// The account that an operator means, on both stores.
import t from 'tap'
import { findAccount } from '../../src/cli/users/find-account.ts'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { serverOn, STORES } from '../conformance/helpers.ts'
import { PASSWORD } from '../support/app.ts'
import { SECRET } from '../support/command-line.ts'

const hashOf = createNameInLogs({ secrets: [SECRET], plain: () => false })

const attributes = {
  badge: { list: false, unique: true, self: false },
  email: { list: false, unique: true, self: false },
  town: { list: false, unique: false, self: false },
}

for (const store of STORES) {
  t.test(`by whatever is the account's alone, whatever login is, ${store}`, async t => {
    const { accounts, live } = await serverOn(t, store)
    live.attributes = attributes
    live.loginBy = ['name', 'badge']
    const user = { password: PASSWORD, scopes: null, roles: [] }
    await accounts.add({ ...user, name: 'ann' })
    const bob = { badge: 'B-17', email: 'Bob@example.com', town: 'Köln' }
    await accounts.add({ ...user, name: 'bob', attributes: bob })
    const { sub = '' } = (await accounts.find('bob')) ?? {}
    const find = async (text: string) =>
      (await findAccount({ accounts, config: { secrets: [SECRET], attributes } }, text))
        ?.name
    for (const text of [
      'BOB',
      sub,
      'B-17',
      'bob@EXAMPLE.com',
      hashOf('bob'),
      hashOf('b-17'),
      hashOf('BOB@example.com'),
    ]) {
      t.equal(await find(text), 'bob', text)
    }
    for (const text of ['undefined', 'Köln', 'B-18', sub, 'null']) {
      t.equal(await find(hashOf(text)), undefined, `the hash of ${text}`)
    }
    t.equal(await find('Köln'), undefined, 'a value that others may have, too')
  })
}
