// The refresh grant over a store that the test holds: which event each outcome is.
import t from 'tap'
import { createClientRegistry } from '../../src/clients/registry.ts'
import type { Event } from '../../src/base/events/events.ts'
import { refreshTokenGrant } from '../../src/grants/refresh-token.ts'
import type { RotateOutcome } from '../../src/stores/ports/families.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { CLIENTS } from '../support/app.ts'

const session = { clientId: 'mobile', sub: 'u1', sid: 's1' }
const network = '192.0.2.0/24'
const family = {
  userTag: 'tag',
  sid: 's1',
  clientId: 'mobile',
  scope: 'profile',
  audience: ['https://id.example.com'],
  jkt: undefined,
  startedAt: 0,
  idleUntil: 60_000,
  endsAt: 60_000,
}
const user = {
  sub: 'u1',
  name: 'Ann',
  scopes: null,
  roles: [],
  attributes: {},
  emailVerified: false,
}

async function refresh(outcome: RotateOutcome, now = 0) {
  const events: Event[] = []
  const client = createClientRegistry(CLIENTS).find('mobile')
  if (client === undefined) throw new Error('no client')
  const familyId = Buffer.alloc(16)
  const grant = refreshTokenGrant.create({
    issuer: 'https://id.example.com',
    families: { rotate: async () => outcome },
    readRefreshToken: async () => undefined,
    issue: async () => ({ access_token: 'a', token_type: 'Bearer', expires_in: 600 }),
    policy: () => ({ accessTtl: 1, refreshIdle: 1, refreshAbsolute: 1, reuseGrace: 1 }),
    takeStatus: undefined,
    clock: () => now,
    emit: event => events.push(event),
  })
  const error = await grant({
    client,
    credential: () => undefined,
    params: { refresh_token: 'rt' },
    refreshToken: { userTag: 'tag', familyId, generation: 1, sid: 's1' },
    jkt: undefined,
    address: '192.0.2.7',
    clientGone: () => new AbortController().signal,
    origin: { id: '1', headers: {} },
  }).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  return { events, error }
}

t.test('each outcome is one event; what is no routine names the network', async t => {
  for (const kind of ['rotated', 'replayed'] as const) {
    const { events, error } = await refresh({ kind, generation: 2, family, user })
    t.same(events, [{ type: `refresh.${kind}`, ...session }])
    t.equal(error, undefined)
  }
  for (const kind of ['late', 'healed'] as const) {
    const { events, error } = await refresh({ kind, generation: 2, family, user })
    t.same(events, [{ type: `refresh.${kind}`, network, ...session }])
    t.equal(error, undefined)
  }
  const reused = await refresh({ kind: 'reused', family, user })
  t.same(reused.events, [{ type: 'refresh.reused', network, ...session }])
  t.match(reused.error, { code: 'invalid_grant' })
})

t.test('a refusal is an event, and an error that fits', async t => {
  for (const [reason, code] of [
    ['family_ended', 'invalid_grant'],
    ['scope_wider', 'invalid_scope'],
    ['audience_wider', 'invalid_target'],
  ] as const) {
    const { events, error } = await refresh({ kind: 'refused', reason })
    t.same(events, [
      { type: 'refresh.refused', clientId: 'mobile', network, reason, sid: 's1' },
    ])
    t.match(error, { code })
  }
})

t.test('less than a second before the end, a session is refused by its name', async t => {
  const rotated = { kind: 'rotated', generation: 2, user } as const
  const rows: [idleUntil: number, endsAt: number, now: number, reason?: string][] = [
    [60_000, 60_000, 59_000],
    [60_000, 60_000, 59_001, 'family_expired'],
    [60_999, 90_000, 59_000],
    [60_999, 90_000, 59_001, 'family_idle'],
    [60_000, 60_000, 61_000, 'family_expired'],
  ]
  for (const [idleUntil, endsAt, now, reason] of rows) {
    const last = { ...rotated, family: { ...family, idleUntil, endsAt } }
    const { events, error } = await refresh(last, now)
    t.same(
      events,
      reason === undefined
        ? [{ type: 'refresh.rotated', ...session }]
        : [{ type: 'refresh.refused', clientId: 'mobile', network, reason, sid: 's1' }],
    )
    t.match(error, reason === undefined ? undefined : { code: 'invalid_grant', reason })
  }
  const fault = new StoreUnavailable(undefined, 'not durable')
  const unsure = { ...rotated, family, fault }
  t.equal((await refresh(unsure, 59_500)).error, fault, 'a fault is no verdict')
})
