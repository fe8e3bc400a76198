// The sessions service on both stores: what it ends, and the one event that each end leaves.
import t, { type Test } from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { createSessions } from '../../src/sessions/sessions.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import type { Subjects } from '../../src/stores/ports/subjects.ts'
import { createBuiltInDirectory } from '../../src/users/directory/built-in.ts'
import {
  addSomeone,
  familyRef,
  NO_ATTRIBUTES,
  signIn,
  STORES,
} from '../support/stores.ts'

const ACTOR = 'cli:root'
const ORIGIN = { id: 'request-1', headers: {} }

function setUp(store: Store, changes: Partial<Subjects> = {}) {
  const events: Event[] = []
  const sessions = createSessions({
    families: store.families,
    subjects: { ...store.subjects, ...changes },
    find: createBuiltInDirectory({ ...store, ...NO_ATTRIBUTES }).find,
    emit: event => {
      events.push(event)
    },
  })
  return { sessions, events }
}

for (const { name, create } of STORES) {
  t.test(`sessions in ${name}`, async t => {
    const { store, stop } = await create()
    t.teardown(stop)
    await t.test('an operator ends one', t => endTest(t, store))
    await t.test('a client gives one back', t => giveBackTest(t, store))
    await t.test('an operator ends all of a user', t => endAllTest(t, store))
  })
}

async function endTest(t: Test, store: Store): Promise<void> {
  for (const isNamed of [true, false]) {
    const how = isNamed ? 'of a named user' : 'by its sid alone'
    const { sessions, events } = setUp(store)
    const tag = await addSomeone(store)
    const [kept, { sid }] = [await signIn(store, tag), await signIn(store, tag)]
    const userTag = isNamed ? tag : undefined
    t.equal(await sessions.end({ sid, userTag }, ACTOR), 'ended', how)
    t.match(await sessions.list(tag), [{ sid: kept.sid }], 'the other one lives')
    t.equal(await sessions.end({ sid, userTag }, ACTOR), 'already_ended')
    t.equal(await sessions.end({ sid: 'nobody', userTag }, ACTOR), 'session_unknown')
    const { sub } = (await store.subjects.byTag(tag)) ?? {}
    t.same(events, [{ type: 'session.ended', sub, sid, actor: ACTOR }], 'one event')
  }
  const { sessions } = setUp(store)
  t.equal(await sessions.end({ sid: 'any', userTag: 'nobody' }, ACTOR), 'session_unknown')
}

async function giveBackTest(t: Test, store: Store): Promise<void> {
  const { sessions, events } = setUp(store)
  const ref = await signIn(store, await addSomeone(store))
  const network = '192.0.2.0/24'
  const giveBack = (clientId: string, which = ref) =>
    sessions.giveBack({ ...which, clientId, network }, ORIGIN)
  t.equal(await giveBack('other'), 'client_mismatch')
  t.equal(await giveBack('mobile', familyRef(ref.userTag, 'nobody')), 'family_unknown')
  t.same(events, [])
  t.equal(await giveBack('mobile'), 'ended')
  t.equal(await giveBack('mobile'), 'already_ended')
  t.same(events, [
    {
      type: 'token.revoked',
      clientId: 'mobile',
      network,
      kind: 'refresh_token',
      sid: ref.sid,
    },
  ])
}

async function endAllTest(t: Test, store: Store): Promise<void> {
  const { sessions, events } = setUp(store)
  const tag = await addSomeone(store, { name: 'Ann', foldedName: 'ann' })
  await signIn(store, tag)
  const { sub } = (await store.subjects.byTag(tag)) ?? {}
  t.equal(await sessions.endAll('ANN', ACTOR), sub)
  t.same(await sessions.list(tag), [])
  t.equal(await sessions.endAll('nobody', ACTOR), undefined)
  t.same(events, [{ type: 'user.changed', sub, change: 'sessions_ended', actor: ACTOR }])

  const late = setUp(store, { endSessions: async () => false })
  t.equal(await late.sessions.endAll('ann', ACTOR), undefined, 'went away meanwhile')
  t.same(late.events, [])
}
