// Logging in by e-mail: the same account, one set of guesses, and nobody learns who exists.
import t from 'tap'
import { PASSWORD } from '../support/app.ts'
import { serverOn, STORES } from './helpers.ts'

const MINUTE = 60_000
const EMAIL = 'alice@bücher.example'

for (const store of STORES) {
  t.test(`login by e-mail on ${store}`, async t => {
    const server = await serverOn(t, store)
    const { accounts, live } = server
    live.attributes = { email: { list: false, unique: true } }
    t.match(await accounts.setAttributes('alice', { attributes: { email: EMAIL } }), {
      kind: 'done',
    })
    const logIn = (username: string, password = PASSWORD) =>
      server.post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username,
        password,
      })

    await t.test('only where the configuration says so', async t => {
      t.equal((await logIn(EMAIL)).statusCode, 400)
      live.loginBy = ['name', 'email']
      for (const text of [EMAIL, 'ALICE@xn--bcher-kva.EXAMPLE', 'Alice']) {
        t.equal((await logIn(text)).statusCode, 200, text)
      }
      t.equal((await logIn(EMAIL, 'wrong')).statusCode, 400)
      t.equal((await logIn('nobody@example.com')).statusCode, 400)
    })

    await t.test("nobody takes another account's address for a name", async t => {
      t.match(
        await accounts.add({
          name: 'mallory',
          password: PASSWORD,
          scopes: null,
          roles: [],
        }),
        { kind: 'added' },
      )
      t.match(await accounts.rename('mallory', EMAIL.toUpperCase()), {
        kind: 'refused',
        reason: 'name_taken',
      })
      const mallory = String((await accounts.find('mallory'))?.sub)
      t.match(await accounts.change(mallory, () => ({ name: EMAIL })), {
        kind: 'refused',
        reason: 'name_taken',
      })
      t.match(await accounts.find('mallory'), { name: 'mallory' }, 'nothing has changed')
      t.match(await accounts.rename('alice', EMAIL), { kind: 'done' }, 'but her own')
      t.match(await accounts.rename(EMAIL, 'alice'), { kind: 'done' })
    })

    await t.test("nobody takes another account's name for an address", async t => {
      const add = (name: string, attributes = {}) =>
        accounts.add({ name, password: PASSWORD, scopes: null, roles: [], attributes })
      const taken = { kind: 'refused', reason: 'attribute_taken', path: 'email' }
      t.match(await add('Ümit@bücher.example'), { kind: 'added' })
      for (const email of ['ümit@BÜCHER.example', 'ümit@bücher.EXAMPLE']) {
        t.match(await add('late', { email }), taken)
        t.match(await accounts.setAttributes('mallory', { attributes: { email } }), taken)
        const mallory = String((await accounts.find('mallory'))?.sub)
        t.match(await accounts.change(mallory, () => ({ attributes: { email } })), taken)
      }
      t.match((await accounts.find('mallory'))?.attributes, {}, 'nothing has changed')
      const own = { attributes: { email: 'Ümit@bücher.example' } }
      t.match(await accounts.setAttributes('ümit@bücher.example', own), { kind: 'done' })
      live.attributes = { ...live.attributes, badge: { list: false, unique: true } }
      live.loginBy = ['name', 'email', 'badge']
      const blank = { attributes: { badge: 'no name at all' } }
      t.match(await accounts.setAttributes('mallory', blank), { kind: 'done' })
      live.loginBy = ['email']
      t.match(await add('ann@example.com'), { kind: 'added' })
      t.match(
        await add('ann', { email: 'ann@example.com' }),
        { kind: 'added' },
        'where names log nobody in, an address may be one',
      )
      live.loginBy = ['name', 'email']
    })

    await t.test('two ways to call an account are one set of guesses', async t => {
      live.logins = { ...live.logins, perName: 3, maxDelay: 15 * MINUTE }
      t.teardown(() => {
        live.logins = { ...live.logins, perName: 1_000_000 }
      })
      await logIn('alice')
      const statuses: number[] = []
      for (let guess = 0; guess < 4; guess++) {
        const name = guess % 2 === 0 ? EMAIL : 'alice'
        statuses.push((await logIn(name, `wrong ${guess}`)).statusCode)
      }
      t.strictSame(statuses, [400, 400, 400, 429])
      for (const name of ['alice', EMAIL, EMAIL.toUpperCase()]) {
        t.equal((await logIn(name)).statusCode, 429, `${name}: throttled`)
      }
      const unknown: number[] = []
      for (let guess = 0; guess < 4; guess++) {
        unknown.push((await logIn('nobody@example.org', `wrong ${guess}`)).statusCode)
      }
      t.strictSame(unknown, statuses, 'as nobody is')
      server.clock.advance(MINUTE)
      t.equal((await logIn(EMAIL)).statusCode, 200, 'and a minute later it is over')
    })

    await t.test('the store does as much for nobody as for somebody', async t => {
      const counted = async (text: string) => {
        const before = await callsOf(server)
        await logIn(text, 'wrong')
        const after = await callsOf(server)
        // Requests are counted by address when there is time.
        return [...after]
          .filter(([command]) => command !== 'address_counts.add')
          .map(([command, calls]) => [command, calls - (before.get(command) ?? 0)])
      }
      const somebody = await counted(EMAIL)
      t.strictSame(await counted('nobody@bücher.example'), somebody)
      t.match(new Map(Object(somebody)).get('users.by_value'), 1)
    })
  })
}

/** How often each call of the store was made. */
async function callsOf({
  metrics,
}: Awaited<ReturnType<typeof serverOn>>): Promise<Map<string, number>> {
  const text = await metrics.render()
  return new Map(
    [
      ...text.matchAll(
        /^latchkey_store_command_duration_seconds_count\{[^}]*command="([^"]+)"[^}]*\} (\d+)/gm,
      ),
    ].map(([, command = '', calls]) => [command, Number(calls)]),
  )
}
