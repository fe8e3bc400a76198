// What an import has done, or would do: counted, and the first accounts as they would be.
import type { ImportOutcome } from '../../users/import/outcome.ts'
import type { PasswordHasher } from '../../users/hashing/hasher.ts'
import { describeAccess } from '../users/access.ts'
import type { Print } from '../tools.ts'
import type { FoundUser } from './fields.ts'
import type { Count } from './progress.ts'

/** So many accounts are shown by a dry run. */
const PREVIEW = 5

/** What was counted. */
export interface Tally extends Count {
  /** How many of those that were imported are disabled, by the field that says so. */
  readonly disabledBy: Map<string, number>
  /** The first of those that would be imported. */
  readonly first: (FoundUser & { readonly line: number; readonly sub: string })[]
}

/** Nothing yet. */
export function createTally(): Tally {
  return { imported: 0, alreadyThere: 0, refused: 0, disabledBy: new Map(), first: [] }
}

const COUNTED = {
  imported: 'imported',
  already_there: 'alreadyThere',
  refused: 'refused',
} as const

/** Counts one; `found` is what the record said, where it said an account. */
export function count(
  tally: Tally,
  outcome: ImportOutcome,
  { line, found }: { readonly line: number; readonly found: FoundUser | undefined },
): void {
  tally[COUNTED[outcome.kind]] += 1
  if (outcome.kind !== 'imported' || found === undefined) return
  const { disabledBy } = found
  if (disabledBy !== undefined) {
    tally.disabledBy.set(disabledBy, (tally.disabledBy.get(disabledBy) ?? 0) + 1)
  }
  if (tally.first.length < PREVIEW) {
    tally.first.push({ ...found, line, sub: outcome.sub })
  }
}

/** Prints the first accounts as a dry run would make them; never a hash or a password. */
export function printPreview(tally: Tally, hasher: PasswordHasher, print: Print): void {
  for (const { line, sub, user, disabledBy } of tally.first) {
    const { name, scopes, roles, disabled, secret } = user
    const hash =
      'passwordHash' in secret
        ? hasher.algorithmOf(secret.passwordHash)
        : 'argon2id, made of the password'
    const state = disabledBy === undefined ? 'enabled' : `disabled (${disabledBy})`
    print(
      { line, wouldBe: { name, sub, disabled, scopes, roles, hash } },
      `would be: ${name}  ${sub}  ${state}  ${describeAccess(user)}  ${hash}`,
    )
  }
}

/** Prints the sums. */
export function printTally(tally: Tally, dryRun: boolean, print: Print): void {
  const { imported, alreadyThere, refused, disabledBy } = tally
  const disabled = [...disabledBy.values()].reduce((sum, some) => sum + some, 0)
  const fields = [...disabledBy].map(([field, some]) => `${field}: ${some}`).join(', ')
  const [done, state] = dryRun
    ? ['would be imported', 'would be disabled']
    : ['imported', 'disabled']
  print(
    {
      imported,
      alreadyThere,
      refused,
      disabled,
      disabledBy: Object.fromEntries(disabledBy),
      dryRun,
    },
    [
      ...(disabled > 0 ? [`${state}: ${disabled} of ${imported} (${fields})`] : []),
      `${imported} ${done}, ${alreadyThere} already there, ${refused} refused`,
    ],
  )
}
