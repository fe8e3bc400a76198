// What can happen to the families of one user, each step done to a store and to the model, and the two
// compared.
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import type {
  Family,
  FamilyRef,
  Presented,
  RotateOutcome,
} from '../../src/stores/ports/families.ts'
import type { User } from '../../src/stores/ports/subjects.ts'
import type { Copy, TestStore } from '../support/stores.ts'
import type { FamilyModel, ModelFamily, ModelOutcome } from './family-model.ts'

export const POLICY = { idleMs: 1_000_000, absoluteMs: 3_000_000, graceMs: 10_000 }
const AUDIENCE = ['https://orders.example.com']
const SCOPE = 'profile orders:read'
const MOST_COMMANDS = 40

/** A family in the model, with what was seen of the real one. */
export interface Tracked {
  readonly ref: FamilyRef
  readonly model: ModelFamily
  readonly opened: Family
  /** What the client holds. */
  held: number
  /** A store has forgotten it, as it may. */
  forgotten: boolean
  /** An end of it was acknowledged. */
  acknowledged: boolean
  /** The highest generation answered since the last failover. */
  highest: number
  /** Token → the generation that it was exchanged for last. */
  readonly answers: Map<number, number>
  /** Its records before the exchanges that a failover may still lose. */
  readonly losable: Array<{ readonly model: ModelFamily; readonly restore: Copy }>
}

export interface World {
  readonly rules: FamilyModel
  readonly families: Tracked[]
  readonly earlyMs: number
}

export interface Real extends TestStore {
  readonly tag: string
}

type Step = fc.AsyncCommand<World, Real, boolean>
type Token = { readonly from: 'held' | 'cur'; readonly offset: number }

const needsFamily = ({ families }: World) => families.length > 0
const CLIENTS = ['mobile', 'other'] as const

function pick({ families }: World, which: number): Tracked {
  const found = families[which % families.length]
  ok(found)
  return found
}

function step(text: string, run: Step['run'], check: Step['check'] = () => true): Step {
  return { run, check: async world => check(world), toString: () => text }
}

const login = (): Step =>
  step(
    'login',
    async ({ rules, families }, { store, tag }) => {
      const ref = { userTag: tag, sid: `family-${families.length}` }
      const expected = rules.login('mobile')
      const request = {
        ...ref,
        clientId: 'mobile',
        scope: SCOPE,
        audience: AUDIENCE,
        sessionsEpoch: rules.user.epoch,
        idleMs: POLICY.idleMs,
        absoluteMs: POLICY.absoluteMs,
      }
      const outcome = await store.families.open(request)
      strictEqual(outcome.kind, expected === undefined ? 'refused' : 'opened')
      if (expected === undefined || outcome.kind === 'refused') return
      deepStrictEqual(outcome.user.attributes, rules.user.attributes)
      deepStrictEqual(
        await store.families.open(request),
        outcome,
        'a repeated call opens the same family',
      )
      compareEnds(outcome.family, expected)
      families.push({
        ref,
        model: expected,
        opened: outcome.family,
        held: 1,
        forgotten: false,
        acknowledged: false,
        highest: 1,
        answers: new Map(),
        losable: [],
      })
    },
    ({ families }) => families.length < 3,
  )

const refresh = (
  which: number,
  token: Token,
  client: 'mobile' | 'other',
  lateRetry: 'burn' | 'refuse',
  times: number,
  lost: boolean,
): Step =>
  step(
    `refresh(#${which}, ${token.from}${token.offset < 0 ? '' : '+'}${token.offset}, ${client}, ` +
      `${lateRetry}, ×${times}${lost ? ', answer lost' : ''})`,
    async (world, real) => {
      const family = pick(world, which)
      const base = token.from === 'held' ? family.held : family.model.cur
      const presented: Presented = {
        ...family.ref,
        clientId: client,
        generation: Math.max(0, base + token.offset),
        idleMs: POLICY.idleMs,
        reuseGraceMs: POLICY.graceMs,
        lateRetry,
      }
      const before = { model: { ...family.model }, restore: await real.copy(family.ref) }
      const outcomes = await Promise.all(
        Array.from({ length: times }, () => real.store.families.rotate(presented)),
      )
      for (const outcome of outcomes) {
        compare(family, outcome, () =>
          world.rules.refresh(family.model, presented.generation, client, lateRetry),
        )
        compareUser(outcome, world)
        witness(family, presented.generation, outcome)
      }
      noteWhatIsDurable(family, before, outcomes)
      const last = outcomes.at(-1)
      if (!lost && last !== undefined && 'generation' in last) {
        family.held = last.generation
      }
    },
    needsFamily,
  )

const peek = (which: number, offset: number): Step =>
  step(
    `peek(#${which}, cur+${offset})`,
    async (world, { store }) => {
      const family = pick(world, which)
      const generation = Math.max(0, family.model.cur + offset)
      const outcome = await store.families.peek({
        ...family.ref,
        generation,
        reuseGraceMs: POLICY.graceMs,
      })
      compare(family, outcome, () => world.rules.peek(family.model, generation))
      compareUser(outcome, world)
    },
    needsFamily,
  )

const check = (which: number): Step =>
  step(
    `check(#${which})`,
    async (world, { store }) => {
      const family = pick(world, which)
      const outcome = await store.accessTokens.check({ ...family.ref, jti: 'some' })
      compare(family, outcome, () => world.rules.check(family.model))
      compareUser(outcome, world)
    },
    needsFamily,
  )

const revoke = (which: number, client: 'mobile' | 'other' | null): Step =>
  step(
    `revoke(#${which}, ${client})`,
    async (world, { store }) => {
      const family = pick(world, which)
      const outcome = await store.families.end({ ...family.ref, clientId: client })
      if (outcome === 'family_unknown') return forget(family)
      if (client === 'other') return strictEqual(outcome, 'client_mismatch')
      strictEqual(outcome, world.rules.revoke(family.model))
      family.acknowledged = true
      family.losable.length = 0
    },
    needsFamily,
  )

const setDisabled = (disabled: boolean): Step =>
  step(disabled ? 'disable' : 'enable', async ({ rules, families }, { store, tag }) => {
    ok(await store.subjects.setDisabled(tag, disabled))
    rules.user.disabled = disabled
    if (!disabled) return
    rules.user.epoch += 1
    for (const family of families) family.acknowledged = true
  })

/** Whatever the version of the account is by now: the step is the only writer. */
const setAttributes = (attributes: User['attributes']): Step =>
  step(`setAttributes(${JSON.stringify(attributes)})`, async ({ rules }, real) => {
    const { directory } = real.store
    const change = { tag: real.tag, attributes, emailVerified: false, uniqueValues: [] }
    let [version, kind] = [0, 'superseded']
    while (kind === 'superseded' && version <= MOST_COMMANDS) {
      kind = (await directory.setAttributes({ ...change, version })).kind
      version += 1
    }
    strictEqual(kind, 'changed')
    rules.user.attributes = attributes
  })

const endSessions = (): Step =>
  step('endSessions', async ({ rules, families }, { store, tag }) => {
    ok(await store.subjects.endSessions(tag))
    rules.user.epoch += 1
    for (const family of families) family.acknowledged = true
  })

const list = (): Step =>
  step('list', async ({ rules, families }, { store, tag }) => {
    const living = families.filter(
      ({ model, forgotten }) => !forgotten && rules.whyDead(model) === undefined,
    )
    const listed = await store.families.list(tag)
    const missing = living.filter(({ ref }) => listed.every(({ sid }) => sid !== ref.sid))
    for (const family of missing) forget(family)
    strictEqual(listed.length, living.length - missing.length)
    for (const { ref, model } of living) {
      const session = listed.find(({ sid }) => sid === ref.sid)
      if (session !== undefined) {
        deepStrictEqual(
          [session.generation, session.lateCount],
          [model.cur, model.lateCount],
        )
      }
    }
  })

const pass = (ms: number): Step =>
  step(`pass(${ms} ms)`, async (world, { clock }) => {
    clock.advance(ms)
    world.rules.now += ms
    noteWhatMayBeForgotten(world)
  })

const lose = (which: number, writes: number): Step =>
  step(
    `lose(#${which}, ${writes} writes)`,
    async world => {
      const family = pick(world, which)
      const [lost] = family.losable.splice(-writes)
      if (lost === undefined) return
      await lost.restore()
      Object.assign(family.model, {
        ...lost.model,
        mayBeForgotten: family.model.mayBeForgotten,
      })
      family.highest = 0
      family.answers.clear()
      noteWhatMayBeForgotten(world)
    },
    needsFamily,
  )

/** Compares an outcome with the model's. A family that may be forgotten may also be unknown, and stays so. */
function compare(
  family: Tracked,
  outcome: ModelOutcome & { readonly family?: Family },
  expected: () => ModelOutcome,
): void {
  if (outcome.reason === 'family_unknown') return forget(family)
  ok(!family.forgotten, 'a forgotten family came back')
  const { kind, reason, generation } = outcome
  const model = expected()
  deepStrictEqual(
    { kind, reason, generation },
    { kind: model.kind, reason: model.reason, generation: model.generation },
  )
  if (outcome.family !== undefined) compareEnds(outcome.family, family.model)
}

/** Whoever learns something of the user learns what is so at that moment. */
function compareUser(
  outcome: { readonly kind: string; readonly user?: User | undefined },
  { rules }: World,
): void {
  if (outcome.user === undefined) return
  deepStrictEqual(outcome.user.attributes, rules.user.attributes)
}

function forget(family: Tracked): void {
  ok(family.model.mayBeForgotten, 'the store forgot a family before its ends')
  family.forgotten = true
}

function compareEnds({ idleUntil, endsAt, startedAt }: Family, model: ModelFamily): void {
  deepStrictEqual(
    { idleUntil, endsAt, startedAt },
    { idleUntil: model.idleUntil, endsAt: model.endsAt, startedAt: model.startedAt },
  )
}

/** The invariants of docs/architecture.md, by what was answered alone: no model here. */
function witness(family: Tracked, t: number, outcome: RotateOutcome): void {
  if (outcome.kind === 'refused') return
  const { idleUntil: _now, ...fixed } = outcome.family
  const { idleUntil: _then, ...opened } = family.opened
  deepStrictEqual(fixed, opened, 'client, scope, audience and absolute end never change')
  ok(!family.acknowledged, 'nothing is accepted after an acknowledged revocation')
  if (outcome.kind === 'reused') {
    family.acknowledged = true
    return
  }
  ok(outcome.generation >= family.highest, 'cur never decreases')
  if (outcome.kind !== 'late') {
    ok(outcome.kind === 'replayed' || outcome.generation === t + 1)
  }
  const before = family.answers.get(t)
  if (outcome.kind === 'replayed' && before !== undefined) {
    strictEqual(outcome.generation, before, 'one token, one window, one answer')
  }
  family.answers.set(t, outcome.generation)
  family.highest = outcome.generation
}

/** An end and a healing wait for replicas; other exchanges may be lost in a failover. */
function noteWhatIsDurable(
  family: Tracked,
  before: Tracked['losable'][number],
  outcomes: readonly RotateOutcome[],
): void {
  const kinds = outcomes.map(({ kind }) => kind)
  if (kinds.includes('reused') || kinds.includes('healed')) family.losable.length = 0
  else if (kinds.includes('rotated') || kinds.includes('late')) {
    family.losable.push(before)
  }
}

function noteWhatMayBeForgotten({ rules, families, earlyMs }: World): void {
  for (const { model } of families) {
    if (rules.now + earlyMs >= (model.ended ? model.endsAt : model.idleUntil)) {
      model.mayBeForgotten = true
    }
  }
}

const which = fc.nat({ max: 2 })
const token: fc.Arbitrary<Token> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ from: 'held' as const, offset: 0 }) },
  {
    weight: 2,
    arbitrary: fc.record({
      from: fc.constant('cur' as const),
      offset: fc.integer({ min: -3, max: 4 }),
    }),
  },
)
const client = fc.oneof(
  { weight: 9, arbitrary: fc.constant(CLIENTS[0]) },
  { weight: 1, arbitrary: fc.constant(CLIENTS[1]) },
)
const lateRetry = fc.oneof(
  { weight: 4, arbitrary: fc.constant('burn' as const) },
  { weight: 1, arbitrary: fc.constant('refuse' as const) },
)
/** With values that are easily taken for none. */
const attributes = fc.dictionary(
  fc.constantFrom('tenant', 'seats', 'groups'),
  fc.oneof(
    fc.constantFrom('', 0, false, 'Zoë 日本'),
    fc.array(fc.string({ maxLength: 3 }), { maxLength: 2 }),
  ),
  { noNullPrototype: true },
)
const { graceMs, idleMs, absoluteMs } = POLICY
const span = fc.constantFrom(
  1,
  5000,
  graceMs,
  graceMs + 1,
  idleMs - 1,
  idleMs,
  absoluteMs,
  -1,
  -5000,
  -3 * graceMs,
  -idleMs,
)
const exchange = fc
  .tuple(which, token, client, lateRetry, fc.constantFrom(1, 1, 1, 2, 5), fc.boolean())
  .map(args => refresh(...args))

/** A history: what a user, clients, thieves, operators and failovers do, in any order. */
export const histories = fc.commands<World, Real, boolean>(
  [
    fc.constant(login()),
    exchange,
    exchange,
    exchange,
    exchange,
    fc.tuple(which, fc.integer({ min: -3, max: 4 })).map(args => peek(...args)),
    which.map(check),
    fc.tuple(which, fc.constantFrom(...CLIENTS, null)).map(args => revoke(...args)),
    fc.boolean().map(setDisabled),
    attributes.map(setAttributes),
    fc.constant(endSessions()),
    fc.constant(list()),
    span.map(pass),
    span.map(pass),
    fc.tuple(which, fc.integer({ min: 1, max: 4 })).map(args => lose(...args)),
  ],
  { maxCommands: MOST_COMMANDS, size: '+1' },
)
