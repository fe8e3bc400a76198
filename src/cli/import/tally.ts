// What an import has done, or would do: counted, and the first accounts as they would be.
import type { ImportOutcome } from '../../users/import/outcome.ts'
import type { PasswordHasher } from '../../users/hashing/hasher.ts'
import { describeAccess } from '../users/access.ts'
import type { Print } from '../tools.ts'
import { attributeLines } from '../users/attribute-lines.ts'
import type { NotTaken } from './attributes/reader.ts'
import type { Found } from './items.ts'
import type { Count } from './progress.ts'

/** So many accounts are shown by a dry run. */
const PREVIEW = 5

/** Of so many fields it is counted how many accounts had a value that was not taken. */
const MOST_FIELDS = 100
const OTHER_FIELDS = '(other fields)'

/** What was counted. */
export interface Tally extends Count {
  /** How many of those that were imported are disabled, by the field that says so. */
  readonly disabledBy: Map<string, number>
  /** Fields that have no place here, and how many of those that were imported had a value there. */
  readonly notTaken: Map<
    string,
    { readonly attribute: string | undefined; accounts: number }
  >
  /** How many accounts that were there have been changed. */
  updated: number
  /** How many of them by what was changed. */
  readonly changes: Map<string, number>
  /** How many of those that were imported have no password yet. */
  withoutPassword: number
  /** The first of those that would be imported. */
  readonly first: (Found & { readonly line: number; readonly sub: string })[]
}

/** Nothing yet. */
export function createTally(): Tally {
  return {
    imported: 0,
    alreadyThere: 0,
    refused: 0,
    disabledBy: new Map(),
    notTaken: new Map(),
    updated: 0,
    changes: new Map(),
    withoutPassword: 0,
    first: [],
  }
}

const COUNTED = {
  imported: 'imported',
  already_there: 'alreadyThere',
  updated: 'updated',
  refused: 'refused',
} as const

/** Counts one; `found` is what the record said, where it said an account. */
export function count(
  tally: Tally,
  outcome: ImportOutcome,
  { line, found }: { readonly line: number; readonly found: Found | undefined },
): void {
  tally[COUNTED[outcome.kind]] += 1
  if (outcome.kind === 'updated') {
    for (const change of outcome.changes) {
      tally.changes.set(change, (tally.changes.get(change) ?? 0) + 1)
    }
  }
  if (outcome.kind !== 'imported' || found === undefined) return
  const { disabledBy, user } = found
  if ('missing' in user.secret) tally.withoutPassword += 1
  if (disabledBy !== undefined) {
    tally.disabledBy.set(disabledBy, (tally.disabledBy.get(disabledBy) ?? 0) + 1)
  }
  for (const field of found.notTaken) countField(tally, field)
  if (tally.first.length < PREVIEW) {
    tally.first.push({ ...found, line, sub: outcome.sub })
  }
}

function countField({ notTaken }: Tally, { field, attribute }: NotTaken): void {
  const isKnown = notTaken.has(field) || notTaken.size < MOST_FIELDS
  const key = isKnown ? field : OTHER_FIELDS
  const counted = notTaken.get(key) ?? {
    attribute: isKnown ? attribute : undefined,
    accounts: 0,
  }
  counted.accounts += 1
  notTaken.set(key, counted)
}

/** Prints which fields were not taken, and what would take them; never a value. */
export function printNotTaken({ notTaken }: Tally, print: Print): void {
  for (const [field, { attribute, accounts }] of notTaken) {
    const advice =
      attribute === undefined
        ? `--map attributes.NAME=${field}, for a declared attribute`
        : `declare the attribute ${attribute}`
    print(
      { notTaken: field, accounts, attribute: attribute ?? null },
      `not taken: ${field} of ${accounts} (to take it: ${advice})`,
    )
  }
}

/** Prints the first accounts as a dry run would make them; never a hash or a password. */
export function printPreview(tally: Tally, hasher: PasswordHasher, print: Print): void {
  for (const { line, sub, user, disabledBy } of tally.first) {
    const { name, scopes, roles, disabled, secret } = user
    const { attributes = {}, emailVerified = false } = user
    const hash = hashWords(secret, hasher)
    const state = disabledBy === undefined ? 'enabled' : `disabled (${disabledBy})`
    print(
      {
        line,
        wouldBe: {
          name,
          sub,
          disabled,
          scopes,
          roles,
          attributes,
          emailVerified,
          hash,
        },
      },
      [
        `would be: ${name}  ${sub}  ${state}  ${describeAccess(user)}  ${hash}`,
        ...attributeLines({ attributes, emailVerified }),
      ],
    )
  }
}

function hashWords(
  secret: Found['user']['secret'],
  hasher: PasswordHasher,
): string | undefined {
  if ('missing' in secret) return 'no password yet'
  return 'passwordHash' in secret
    ? hasher.algorithmOf(secret.passwordHash)
    : 'argon2id, made of the password'
}

/** Prints what was changed of accounts that were there, and who has no password yet. */
export function printChanges(tally: Tally, dryRun: boolean, print: Print): void {
  const { updated, changes, withoutPassword } = tally
  if (updated > 0) {
    const words = [...changes].map(([change, some]) => `${change}: ${some}`).join(', ')
    print(
      { updated, changes: Object.fromEntries(changes), dryRun },
      `${updated} ${dryRun ? 'would be updated' : 'updated'} (${words})`,
    )
  }
  if (withoutPassword > 0) {
    print(
      { withoutPassword, dryRun },
      `${withoutPassword} without a password, who can't log in until they have one ` +
        '(`latchkey users passwd NAME` sets it)',
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
