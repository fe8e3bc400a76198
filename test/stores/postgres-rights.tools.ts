// A server does all of its work with the rights that docs/users-elsewhere.md gives it, and with none more:
// before a move, beside it, and after it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { startPostgres } from '../support/databases.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'

const PAGE = new URL('../../docs/users-elsewhere.md', import.meta.url)
/** Somebody who looks at no bar. */
const QUIET = { show() {}, moved() {} }

/** The statements of the page that give rights. */
function documentedGrants(): string {
  const blocks = readFileSync(PAGE, 'utf8').matchAll(/```sql\n(.*?)```/gs)
  return [...blocks]
    .map(([, text = '']) => text)
    .filter(text => text.includes('GRANT USAGE'))
    .join('')
}

t.test('the rights of the page are enough', async t => {
  const database = await startPostgres(t)
  const url = `sqlite:${join(t.testdir(), 'latchkey.db')}`
  const open = async (user: string) => {
    const accounts = {
      url: database.url.replace('postgres@', `${user}@`),
      plaintext: false,
      connections: 4,
      timeout: 20_000,
    }
    const opened = await openStore({ url, accounts, clock: systemClock })
    t.teardown(() => opened.store.close())
    return opened
  }
  const alone = await openStore({ url, clock: systemClock })
  await alone.store.directory.add(someAccount('first'))
  await alone.store.close()
  const owner = await open('postgres')
  await database.run(`CREATE ROLE latchkey_server LOGIN; ${documentedGrants()}`)
  const { store, move } = await open('latchkey_server')
  await changeAll(t, store, 'before')
  if (move === undefined) throw new Error('no move')
  await t.rejects(move.run(QUIET), /42501.*owner/, 'but for a move')
  t.equal(await owner.move?.run(QUIET), 2)
  await changeAll(t, store, 'after')
  const { store: again } = await open('latchkey_server')
  await again.directory.settle()
  t.equal(await again.directory.count(), 3)
  t.match(await again.directory.byName('name of first'), { sub: 'first' })
})

/** Each kind of change that a server makes; leaves one account more. */
async function changeAll(t: Test, store: Store, when: string): Promise<void> {
  const { directory, subjects, families } = store
  const [one, two] = [someAccount(`one ${when}`), someAccount(`two ${when}`)]
  t.equal((await directory.addAll([one, two])).size, 2, when)
  const { tag } = one
  const session = await signIn(store, tag)
  t.match(await families.rotate(presented(session, 1)), { kind: 'rotated' })
  t.equal(await directory.upgradePassword(tag, one.passwordHash, '$argon2id$new'), true)
  t.equal(await directory.setPassword(tag, '$argon2id$newer'), true)
  const renamed = { tag, name: `Renamed ${when}`, foldedName: `renamed ${when}` }
  t.equal(await directory.rename(renamed), 'renamed')
  t.equal(await subjects.setAccess(tag, { scopes: ['x'], roles: ['y'] }), true)
  t.match(await directory.byName(`renamed ${when}`), { roles: ['y'] })
  t.equal(await directory.remove(two.tag), true)
}
