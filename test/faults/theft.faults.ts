// A stolen refresh token, used by a thief who waits until the window for retries is over. The real process,
// on both stores, with a clock that jumps.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CLIENTS, type LatchkeyProcess } from '../support/server.ts'
import { createFakeClock, type FakeClock } from './support/fake-clock.ts'
import { figure } from './support/figures.ts'
import {
  addUsers,
  audited,
  fallen,
  type Fleet,
  logIn,
  type Session,
  startServers,
} from './support/load.ts'
import { startNode } from './support/redis-node.ts'

const PAST_THE_WINDOW_SECONDS = 60

const STORES: Record<string, (t: Test, clock: FakeClock) => Promise<string>> = {
  async SQLite(t) {
    const dir = mkdtempSync(join(tmpdir(), 'latchkey-theft-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    return `sqlite:${join(dir, 'latchkey.db')}`
  },
  Redis: async (t, { env }) => (await startNode(t, { env })).url,
}

interface Scene {
  readonly server: LatchkeyProcess
  readonly fleet: Fleet
  readonly owner: Session
  /** Lets more time pass than a retry may take. */
  readonly wait: () => Promise<void>
}

async function setUp(
  t: Test,
  store: string,
  lateRetry: 'burn' | 'refuse',
): Promise<Scene> {
  const clock = createFakeClock(t)
  const storeUrl = String(await STORES[store]?.(t, clock))
  const clients = CLIENTS.map(client =>
    client.id === 'mobile' ? { ...client, lateRetry } : client,
  )
  const servers = await startServers(t, 1, {
    storeUrl,
    env: clock.env,
    config: { clients },
  })
  await addUsers(storeUrl, 1)
  const fleet = await logIn(servers, ['user-0'])
  const [owner] = fleet.sessions
  if (owner === undefined) throw new Error('no session')
  let passed = 0
  const wait = () => clock.jump((passed += PAST_THE_WINDOW_SECONDS))
  return {
    server: servers[0],
    fleet,
    owner,
    wait,
  }
}

const OLD_TOKENS = [
  { name: 'two generations old', steps: 2, lateRetry: 'burn' },
  { name: 'one generation old, lateRetry: refuse', steps: 1, lateRetry: 'refuse' },
] as const

const LOCK_STEPS = [
  { name: 'the owner first', turns: ['owner', 'wait', 'thief', 'wait'] },
  { name: 'the thief first', turns: ['thief', 'wait', 'owner', 'wait'] },
  {
    name: 'the thief first within the window, then past it',
    begin: ['owner', 'thief', 'wait'],
    turns: ['owner', 'wait', 'thief', 'wait'],
  },
] as const

for (const store of Object.keys(STORES)) {
  for (const { name, steps, lateRetry } of OLD_TOKENS) {
    t.test(`${store}: an old token after the grace window, ${name}`, async t => {
      const { server, fleet, owner, wait } = await setUp(t, store, lateRetry)
      const thief = { ...owner }
      for (let step = 0; step < steps; step++) await fleet.refresh(owner)
      const accessToken = owner.accessToken
      t.equal(await fleet.introspect(accessToken), true)
      await wait()
      await fleet.refresh(thief)
      const reused = audited([server], 'refresh.reused')
      const active = await fleet.introspect(accessToken)
      await fleet.refresh(owner)
      figure(t, {
        fault: `${store}: theft, an old token presented after the grace window (${name})`,
        figure:
          `the thief: ${thief.loggedOut}; audit: refresh.reused ×${reused.length}; the session's ` +
          `access token: active ${active}; the owner's next refresh: ${owner.loggedOut}`,
        mustShow:
          "the family ended in one step, the audit event names the reason, the owner's next refresh " +
          'is refused',
        holds:
          thief.loggedOut === '400 invalid_grant' &&
          reused.length === 1 &&
          active === false &&
          owner.loggedOut === '400 invalid_grant',
      })
      t.match(reused, [{ type: 'refresh.reused', clientId: 'mobile' }])
      t.match(audited([server], 'refresh.refused').at(-1), { reason: 'family_ended' })
      t.same(fallen([server]), [])
    })
  }

  for (const { name, turns, ...row } of LOCK_STEPS) {
    t.test(`${store}: thief and owner in lock-step, ${name}`, async t => {
      const { server, fleet, owner, wait } = await setUp(t, store, 'burn')
      const thief = { ...owner }
      const used = { owner: 0, thief: 0 }
      const act = async (turn: 'owner' | 'thief' | 'wait') => {
        if (turn === 'wait') await wait()
        else if (await fleet.refresh({ owner, thief }[turn])) used[turn] += 1
      }
      const detected = () => audited([server], 'refresh.reused').length > 0
      for (const turn of 'begin' in row ? row.begin : []) await act(turn)
      for (let round = 0; round < 4 && !detected(); round++) {
        for (const turn of turns) if (!detected()) await act(turn)
      }
      // Whoever comes next, either of them.
      for (const turn of ['owner', 'thief'] as const) await act(turn)
      const ended = [owner, thief].every(
        ({ loggedOut }) => loggedOut === '400 invalid_grant',
      )
      figure(t, {
        fault:
          `${store}: theft, thief and owner refresh in lock-step, one step apart, past the window ` +
          `(${name})`,
        figure:
          `${detected() ? 'detected' : 'not detected'}; until then the thief was served ` +
          `${used.thief} times, the owner ${used.owner} times; late: ` +
          `${audited([server], 'refresh.late').length}; both ${ended ? 'refused' : 'NOT refused'} ` +
          'from then on',
        mustShow: 'detected, after at most two alternations',
        holds: detected() && ended && used.thief <= 2 && used.owner <= 2,
      })
      t.equal(audited([server], 'refresh.reused').length, 1)
      t.same(fallen([server]), [])
    })
  }
}
