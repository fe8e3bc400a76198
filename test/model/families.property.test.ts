// The rules of docs/architecture.md, searched: random histories against the reference model, and what it
// promises to honest clients and about thieves.
import { notStrictEqual, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import { addSomeone, STORES, type Copy, type TestStore } from '../support/stores.ts'
import { histories, POLICY } from './family-commands.ts'
import { FamilyModel } from './family-model.ts'

// .ci/run asks for 2,000.
const numRuns = Number(process.env['LATCHKEY_HISTORIES'] ?? 500)
const seed = Number(process.env['LATCHKEY_SEED'] ?? 20261124)

for (const { name, create } of STORES) {
  t.test(`families in ${name}`, { timeout: 600_000 }, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    const someone = () => addSomeone(real.store)

    async function search(
      what: string,
      property: fc.IAsyncProperty<unknown>,
    ): Promise<void> {
      const start = performance.now()
      await fc.assert(property, { numRuns, seed })
      t.pass(
        `${what}: ${numRuns} histories, seed ${seed}, ${Math.round(performance.now() - start)} ms`,
      )
    }

    await search(
      "every outcome is the model's, and the invariants hold",
      fc.asyncProperty(histories, async commands => {
        const tag = await someone()
        const rules = new FamilyModel(POLICY, real.clock())
        await fc.asyncModelRun(
          () => ({
            model: { rules, families: [], earlyMs: real.earlyMs },
            real: { ...real, tag },
          }),
          commands,
        )
      }),
    )

    await search(
      'a client that behaves is never taken for a thief',
      fc.asyncProperty(honestLives, async life => {
        await liveHonestly(real, await login(real, await someone()), life)
      }),
    )

    await search(
      'a theft is detected after at most two alternations',
      fc.asyncProperty(thefts, async uses => {
        await steal(real, await login(real, await someone()), uses)
      }),
    )
  })
}

type HonestStep =
  | { readonly kind: 'refresh'; readonly tabs: number; readonly lost: boolean }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'lose'; readonly writes: number }

const honestLives: fc.Arbitrary<HonestStep[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('refresh' as const),
        tabs: fc.constantFrom(1, 1, 2, 3),
        lost: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.constantFrom(1, 9_999, 10_000, 10_001, 30_000, -5_000, -60_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('lose' as const),
        writes: fc.integer({ min: 1, max: 2 }),
      }),
    },
  ),
  { maxLength: 30 },
)

/** Who uses his token, and how long after the grace has passed. */
const thefts = fc.array(
  fc.record({
    who: fc.constantFrom('victim' as const, 'thief' as const),
    after: fc.nat({ max: 1000 }),
  }),
  { maxLength: 12 },
)

async function login({ store }: TestStore, userTag: string): Promise<FamilyRef> {
  const ref = { userTag, sid: 'family' }
  await store.families.open({
    ...ref,
    clientId: 'mobile',
    scope: 'profile',
    audience: [],
    sessionsEpoch: 1,
    idleMs: POLICY.idleMs,
    absoluteMs: POLICY.absoluteMs,
  })
  return ref
}

function use({ store }: TestStore, ref: FamilyRef, generation: number) {
  return store.families.rotate({
    ...ref,
    generation,
    clientId: 'mobile',
    idleMs: POLICY.idleMs,
    reuseGraceMs: POLICY.graceMs,
    lateRetry: 'burn',
  })
}

/**
 * Loses answers, uses several tabs, lives through failovers that lose up to two exchanges, and always
 * presents what it got last.
 */
async function liveHonestly(
  real: TestStore,
  ref: FamilyRef,
  life: readonly HonestStep[],
): Promise<void> {
  let held = 1
  let cur = 1
  let losable: Array<{ readonly cur: number; readonly restore: Copy }> = []
  for (const step of life) {
    if (step.kind === 'pass') real.clock.advance(step.ms)
    if (step.kind === 'lose') {
      const [lost] = losable.slice(-step.writes)
      if (lost === undefined || held > lost.cur + 2) continue
      losable = losable.slice(0, -step.writes)
      await lost.restore()
      cur = lost.cur
    }
    if (step.kind === 'refresh') {
      const before = { cur, restore: await real.copy(ref) }
      const [first] = await Promise.all(
        Array.from({ length: step.tabs }, async () => {
          const outcome = await use(real, ref, held)
          notStrictEqual(outcome.kind, 'reused')
          ok('generation' in outcome)
          return outcome
        }),
      )
      losable =
        first?.kind === 'healed'
          ? []
          : first?.kind === 'replayed'
            ? losable
            : [...losable, before]
      cur = first?.generation ?? cur
      if (!step.lost) held = cur
    }
  }
}

async function steal(
  real: TestStore,
  ref: FamilyRef,
  uses: ReadonlyArray<{ who: 'victim' | 'thief'; after: number }>,
): Promise<void> {
  const held = { victim: 1, thief: 1 }
  let alternations = 0
  for (const [index, { who, after }] of uses.entries()) {
    real.clock.advance(POLICY.graceMs + 1 + after)
    if (index > 0 && uses[index - 1]?.who !== who) alternations += 1
    const outcome = await use(real, ref, held[who])
    if ('generation' in outcome) held[who] = outcome.generation
    ok(alternations < 2 || !('generation' in outcome), 'still undetected')
  }
}
