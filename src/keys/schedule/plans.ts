// The plans of a ring: those of keys that are made here, or those of keys that are kept elsewhere.
import { planRing } from './plan.ts'
import { planExternal, retireExternal, rotateExternal } from './plan-external.ts'
import { planRetirement, planRotation, type RotationOptions } from './plan-rotation.ts'
import type { Planned } from './planned.ts'
import { linesOf } from './policy.ts'
import type { Plan } from '../save.ts'
import type { KeySource } from '../external/key-source.ts'

/** What may become of a ring. */
export interface Plans {
  /** What is due by the clock. */
  readonly due: Plan
  /** A rotation that an operator asks for. */
  readonly rotated: (rotation: RotationOptions) => Plan
  /** The ring without a key that leaked. */
  readonly retired: (kid: string, switchAfterMs: number) => Plan
}

/** Picks the plans. */
export function createPlans(source: KeySource | undefined): Plans {
  return source === undefined ? OWN : externalPlans(source)
}

const OWN: Plans = {
  due: ({ keys, gone }, now, policy) => ({ keys: planRing(keys, now, policy), gone }),
  rotated:
    rotation =>
    ({ keys, gone }, now, policy) => ({
      keys: planRotation(keys, rotation, { now, policy }),
      gone,
    }),
  retired:
    (kid, switchAfterMs) =>
    ({ keys, gone }, now, policy) => ({
      keys: planRetirement(keys, { kid, switchAfterMs }, { now, policy }),
      gone,
    }),
}

function externalPlans(source: KeySource): Plans {
  return {
    due: (ring, now, policy) =>
      planExternal(ring, now, { policy, present: source.keys() }),
    rotated:
      ({ atOnce, line }) =>
      ({ keys, gone }, now, policy) => {
        const names = linesOf(policy)
          .map(({ name }) => name)
          .filter(name => (line ?? name) === name)
        return {
          keys: names.reduce<readonly Planned[]>(
            (ring, name) => rotateExternal(ring, now, { policy, line: name, atOnce }),
            keys,
          ),
          gone,
        }
      },
    retired: kid => (ring, now, policy) =>
      retireExternal(ring, kid, { now, policy, present: source.keys() }),
  }
}
