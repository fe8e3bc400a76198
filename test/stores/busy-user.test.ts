// Who logs in very often costs Redis no more than others do.
import t from 'tap'
import { createHandClock } from '../support/clock.ts'
import { LIST, SID, setScene, TTL, upTo } from '../support/living-tokens.ts'

t.test('a login costs the same, however often the user has logged in', async t => {
  const clock = createHandClock()
  const { store, open, key, userTag, revoked } = await setScene(t, { clock })
  const { client } = store
  const logIn = async (first: number, count: number) => {
    for (let idx = first; idx < first + count; idx++) {
      await open(String(idx).padStart(22, 'a'), idx)
    }
  }
  /** What Redis did for one of ten logins, those within its scripts, too. */
  const commandsOfALogin = async (first: number) => {
    await client.call('CONFIG', ['RESETSTAT'])
    await logIn(first, 10)
    const stats = await client.info('commandstats')
    const calls = [...stats.matchAll(/cmdstat_(?!config|info)[^:]*:calls=(\d+)/g)]
    return calls.reduce((sum, [, count]) => sum + Number(count), 0) / 10
  }
  await logIn(0, 2000)
  const commands = await commandsOfALogin(2000)
  t.ok(commands < 40, `${commands} commands`)
  t.equal((await revoked()).length, 0)

  clock.advance(TTL + 1000)
  await logIn(2010, 400)
  const left = await client.hlen(key)
  t.ok(left < 600, `${left} fields, when all 2,010 have expired and 400 came`)
  await store.subjects.setDisabled(userTag, true)
  t.same(
    (await revoked()).filter(idx => idx >= 2010),
    upTo(2410).slice(2010),
    'none that lives is forgotten',
  )
})

t.test('the tokens of a session are found among very many', async t => {
  const { store, open, next, key, revoked } = await setScene(t)
  const [first, last] = [await open(SID, 1), await open('c'.repeat(22), 2)]
  await next(last, 3)
  const others = Array.from({ length: 25_000 }, (_, other) => [
    `${String(other).padStart(22, 'd')} ${LIST}`,
    'ffffffff00063',
  ])
  await store.client.hset(key, ...others.flat())
  for (const ref of [first, last]) await store.families.end({ ...ref, clientId: null })
  t.same(await revoked(), [1, 2, 3])
})
