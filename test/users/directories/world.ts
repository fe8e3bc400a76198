// An app that has users, and a server that asks it.
import type { Test } from 'tap'
import { buildTestApp, UNTHROTTLED, type TestApp } from '../../support/app.ts'
import { appDirectory, startUserApp, type UserApp } from '../../support/user-app.ts'

/** What the users of the app log in with. */
export const WORDS = 'an app of many years'
/** The same for all servers, as they share a store. */
export const SECRETS = [Buffer.alloc(32, 9).toString('base64url')]

/** Both, and how somebody logs in. */
export interface World {
  readonly user: UserApp
  readonly test: TestApp
  login(name: string, password?: string): ReturnType<TestApp['post']>
}

let worlds = 0

/** An app, and a server that asks it; names are of this world alone, as the store is shared. */
export async function start(
  t: Test,
  storeUrl: string,
  more: Parameters<typeof appDirectory>[1] = {},
): Promise<World & { readonly n: string }> {
  worlds += 1
  const user = await startUserApp()
  const test = await buildTestApp({
    storeUrl,
    secrets: SECRETS,
    directories: [appDirectory(user, { name: `app-${worlds}`, ...more })],
  })
  test.live.logins = UNTHROTTLED
  t.teardown(async () => {
    await test.elsewhere?.close()
    await test.close()
    await user.stop()
  })
  const login: World['login'] = (username, password = WORDS) =>
    test.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username,
      password,
    })
  return { user, test, login, n: String(worlds) }
}
