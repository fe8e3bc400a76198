// What happened on a release's server before its store was dumped: accounts of many kinds, sessions in many
// states.
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import type {
  Expected,
  GoldenAccessToken,
  GoldenSession,
} from '../../test/support/golden.ts'
import type { Release } from '../../test/support/release.ts'
import { addAccounts } from './accounts.ts'
import {
  clientsOf,
  PASSWORD,
  type Clients,
  type Pair,
  type SceneOptions,
} from './clients.ts'

/** The release's tokens.reuseGrace: a retry is late soon. */
export const REUSE_GRACE_MS = 1_000
const WRONG_TRIES = 12
const ACCESS_REVOKED = 'whose access token was revoked'

export type Scene = Pick<
  Expected,
  | 'takenAt'
  | 'accounts'
  | 'lockedOut'
  | 'sessions'
  | 'accessTokens'
  | 'jwks'
  | 'throttled'
>

type Keep = (what: string, pair: Pair, more?: Partial<GoldenSession>) => void

/** Plays it; the newest exchange is the last thing that happens. */
export async function playScene(options: SceneOptions): Promise<Scene> {
  const { release } = options
  const accounts = await addAccounts(options)
  const clients = clientsOf(options)
  const { sessions, accessTokens, keep } = keepTokens()
  await addLiving(options, clients, keep)
  await addLate(clients, keep)
  await addEnded(options, clients, keep)
  const revoked = await clients.login('alice')
  await clients.revoke(revoked.access_token)
  keep(ACCESS_REVOKED, revoked)
  const jwks = await release.get('/.well-known/jwks.json')
  const throttled = await guess(release)
  const lost = await clients.login('alice')
  await clients.refresh(lost.refresh_token)
  keep('whose last answer was lost', lost)
  return {
    takenAt: Date.now(),
    accounts,
    lockedOut: ['disabled', 'removed'].map(name => ({ name, password: PASSWORD })),
    sessions,
    accessTokens,
    jwks,
    throttled,
  }
}

/** Lists of what was handed out, and a function that adds to them. */
function keepTokens() {
  const sessions: GoldenSession[] = []
  const accessTokens: GoldenAccessToken[] = []
  const keep: Keep = (what, pair, more = {}) => {
    sessions.push({
      what,
      clientId: 'mobile',
      refreshToken: pair.refresh_token,
      sid: String(decodeJwt(pair.access_token)['sid']),
      isBound: false,
      ...more,
    })
    accessTokens.push({
      what,
      token: pair.access_token,
      active: more.refusedFor === undefined && what !== ACCESS_REVOKED,
    })
  }
  return { sessions, accessTokens, keep }
}

/** Sessions that go on; the first is signed by the first key, all others by the second. */
async function addLiving(
  { release }: SceneOptions,
  { login, refresh, web }: Clients,
  keep: Keep,
): Promise<void> {
  keep('fresh, of before the keys were rotated', await login('alice'))
  await release.cli(['keys', 'rotate', '--now', '--yes'])
  await nextKey(() => login('alice'))
  keep('exchanged three times', await times(3, await login('alice'), refresh))
  keep('of another user, narrowed', await login('bea', { scope: 'profile' }))
  const orders = { resource: 'https://orders.example.com' }
  keep('for one audience', await login('alice', orders))
  keep('of a confidential client', await login('alice', web), { clientId: 'web' })
  keep('bound to a key', await login('alice', {}, true), { isBound: true })
}

/** Sessions whose last token but one came again, later than the grace for that. */
async function addLate({ login, refresh }: Clients, keep: Keep): Promise<void> {
  const burning = await login('alice')
  await refresh(burning.refresh_token)
  await wait(REUSE_GRACE_MS + 200)
  keep('of a late retry', await refresh(burning.refresh_token))
  const burningToo = await login('bea')
  const burned = await refresh(burningToo.refresh_token)
  await wait(REUSE_GRACE_MS + 200)
  await refresh(burningToo.refresh_token)
  keep('of a late retry, the successor that it burned', burned, {
    refusedFor: 'token_reused',
  })
}

/** Sessions that are over, each for another reason. */
async function addEnded(
  { release }: SceneOptions,
  { login, refresh, revoke }: Clients,
  keep: Keep,
): Promise<void> {
  const ended = await login('alice')
  await revoke(ended.refresh_token)
  keep('ended by its user', ended, { refusedFor: 'family_ended' })

  const stolen = await login('alice')
  const newest = await times(2, stolen, refresh)
  await refresh(stolen.refresh_token).catch(() => {})
  keep('ended as an old token came again', newest, { refusedFor: 'family_ended' })

  const single = await login('bea')
  const sid = String(decodeJwt(single.access_token)['sid'])
  await release.cli(['sessions', 'revoke', '--user', 'bea', '--', sid])
  keep('ended by an operator', single, { refusedFor: 'family_ended' })

  for (const [what, name, command] of [
    ['ended with every other of its user', 'carl', ['sessions', 'revoke-all', 'carl']],
    ['of a user that was disabled', 'disabled', ['users', 'disable', 'disabled']],
    ['of a user that was removed', 'removed', ['users', 'remove', 'removed']],
  ] as const) {
    const pair = await login(name)
    await release.cli(command)
    keep(what, pair, {
      refusedFor: {
        carl: 'sessions_ended',
        disabled: 'user_disabled',
        removed: 'family_unknown',
      }[name],
    })
  }
}

async function times(
  count: number,
  pair: Pair,
  refresh: (token: string) => Promise<Pair>,
): Promise<Pair> {
  let newest = pair
  for (let time = 0; time < count; time++) newest = await refresh(newest.refresh_token)
  return newest
}

/** Waits until the server signs with another key than now. */
async function nextKey(login: () => Promise<Pair>): Promise<void> {
  const kidOf = async () => (await login()).access_token.split('.', 1)[0]
  const before = await kidOf()
  for (let tries = 0; tries < 50 && (await kidOf()) === before; tries++) await wait(200)
}

/** Guesses a password until the guessing is delayed. */
async function guess({ post }: Release): Promise<Expected['throttled']> {
  const form = { grant_type: 'password', client_id: 'mobile', username: 'guessed' }
  for (let tries = 0; tries < WRONG_TRIES; tries++) {
    await post('/token', { ...form, password: `wrong password number ${tries}` })
  }
  const { status } = await post('/token', { ...form, password: PASSWORD })
  return { name: 'guessed', password: PASSWORD, status }
}
