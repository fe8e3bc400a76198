// The contract of a walk over all accounts, and of the unique values of one, wherever accounts are kept.
import t from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createHandClock } from '../support/clock.ts'
import { freePort } from '../support/free-port.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import { someAccount, STORES } from '../support/stores.ts'

const EMAIL = { attribute: 'email', value: 'ann@example.com' }

for (const { name, create } of andPostgres(STORES)) {
  t.test(`all accounts in ${name}`, async t => {
    const { store, stop } = await create()
    t.teardown(stop)
    const { directory } = store
    const ann = { ...someAccount('ann'), uniqueValues: [EMAIL] }
    for (const account of [ann, someAccount('bob')]) await directory.add(account)
    t.same(await directory.uniqueValuesOf(ann.tag), [EMAIL])
    t.same(await directory.uniqueValuesOf('nobody'), [])
    const names: string[] = []
    for await (const account of directory.all()) names.push(account.name)
    t.same(names.toSorted(), ['Name of ann', 'Name of bob'])
  })
}

t.test('a database of accounts that is not there opens no store', async t => {
  const accounts = {
    url: `postgres://latchkey@127.0.0.1:${await freePort()}/latchkey`,
    connections: 1,
    timeout: 1000,
    plaintext: true,
  }
  await t.rejects(
    openStore({ url: 'sqlite::memory:', clock: createHandClock(), accounts }),
    StoreUnavailable,
  )
})
