// What a restart leaves of failed logins: everything, also where the process was killed, on both stores.
import t from 'tap'
import { PASSWORD, postForm, startLatchkey, STORES, USER } from '../support/server.ts'

const ALLOWANCE = 4

for (const { name: storeName, make } of STORES) {
  t.test(
    `failures, repeats and known networks outlive the process, on ${storeName}`,
    async t => {
      const store = await make()
      t.teardown(() => store.remove())
      const start = () =>
        startLatchkey({
          storeUrl: store.url,
          secret: 't'.repeat(43),
          config: {
            throttle: {
              perAddress: { max: 1_000_000, window: '1m' },
              logins: {
                perName: ALLOWANCE,
                perNetwork: 1_000_000,
                perPassword: 1_000_000,
              },
            },
          },
        })
      const logIn = async (url: string, username: string, password: string) =>
        (
          await postForm(`${url}/token`, {
            grant_type: 'password',
            client_id: 'mobile',
            username,
            password,
          })
        ).status
      const reasons = (lines: readonly string[]) =>
        lines
          .filter(line => line.includes('"login.'))
          .map(line => JSON.parse(line).audit)
          .map(({ type, reason, networkKnown }) => reason ?? `${type} ${networkKnown}`)

      const before = await start()
      t.equal(await logIn(before.url, USER, PASSWORD), 200)
      for (let failure = 1; failure < ALLOWANCE; failure++) {
        t.equal(await logIn(before.url, 'nobody', `guess ${failure}`), 400)
      }
      before.signal('SIGKILL')
      await before.stop()

      const after = await start()
      t.teardown(() => after.stop())
      t.equal(await logIn(after.url, 'nobody', `guess ${ALLOWANCE - 1}`), 400)
      t.equal(await logIn(after.url, 'nobody', `guess ${ALLOWANCE}`), 400)
      t.equal(await logIn(after.url, 'nobody', `guess ${ALLOWANCE + 1}`), 429)
      t.equal(await logIn(after.url, USER, PASSWORD), 200)
      // The log may come behind the answer.
      await after.logged(/login\.succeeded/)
      t.same(reasons(before.lines), [
        'login.succeeded false',
        ...Array(ALLOWANCE - 1).fill('user_unknown'),
      ])
      t.same(reasons(after.lines), [
        'password_repeated',
        'user_unknown',
        'throttled_by_pair',
        'login.succeeded true',
      ])
    },
  )
}
