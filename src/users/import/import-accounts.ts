// This folder imports accounts from other systems, with their hashes or with passwords, many at a time. It
// reads no file. The command line calls it; a second run imports what the first one missed.
import { createHmac } from 'node:crypto'
import pLimit from 'p-limit'
import { userTag, uuidOf } from '../../base/ids.ts'
import { deriveKeys } from '../../base/secrets.ts'
import type { BuiltInDirectory } from '../../stores/ports/directory.ts'
import type { Subjects } from '../../stores/ports/subjects.ts'
import {
  NOTHING_KNOWN,
  nextAttributes,
  type AttributesRequest,
} from '../account-attributes.ts'
import { isSub, type Access } from '../accounts.ts'
import type { Directory } from '../directory/directory.ts'
import { isFault, type AttributeFault } from '../attributes/check.ts'
import type { CheckClaims } from '../attributes/claims-budget.ts'
import type { Declarations } from '../attributes/declarations.ts'
import type { NameLogins } from '../attributes/login-texts.ts'
import { judgeName } from '../names/user-name.ts'
import type { CheckNewPassword } from '../new-password.ts'
import { NO_PASSWORD } from '../hashing/no-password.ts'
import type { PasswordHasher } from '../hashing/hasher.ts'
import { firstTaken } from './taken.ts'
import { createTwins } from './twins.ts'
import {
  refused,
  takenAt,
  type Candidate,
  type ImportOutcome,
  type Judged,
  type Refusal,
} from './outcome.ts'

/** An account of another system. */
export interface ForeignUser extends Access, AttributesRequest {
  readonly name: string
  /**
   * The id under which others know the user: 1 to 255 printable ASCII characters (OpenID Connect Core §2).
   * Derived from the record when left out.
   */
  readonly sub?: string
  readonly disabled: boolean
  /** The password, or its hash in any form that docs/passwords.md lists. */
  readonly secret:
    | { readonly password: string }
    | { readonly passwordHash: string }
    /** There is none; the field where it would stand. */
    | { readonly missing: string }
  /** What of these the record says itself; default: all. */
  readonly says?: ReadonlySet<'scopes' | 'roles' | 'disabled'>
}

export interface ImportOptions {
  readonly directory: Pick<BuiltInDirectory, 'addAll' | 'byName' | 'byValue'>
  /** The account that logs in with a text: no other one may have that for its name. */
  readonly findLogin: Directory['findLogin']
  /** Says by which texts an account would log in. */
  readonly nameLogins: Pick<NameLogins, 'naming'>
  readonly subjects: Pick<Subjects, 'byTag'>
  /** Where clients are looked up: a token of a client's own has its id as `sub`. */
  readonly clients: { readonly find: (id: string) => unknown }
  readonly hasher: PasswordHasher
  readonly checkNewPassword: CheckNewPassword
  /** Which attributes accounts may have. */
  readonly declarations: Declarations
  readonly checkClaims: CheckClaims
  /** The first one makes the ids of accounts that bring none. */
  readonly secrets: readonly string[]
  /** Whether everything is checked and nothing added. */
  readonly dryRun: boolean
  /** Whether records without a hash make accounts that can't log in yet; default: they are refused. */
  readonly invite?: boolean
  /** Takes records of accounts that are there; default: these are left alone. */
  readonly update?: UpdateAccount | undefined
}

/** A record of a file: an account, or why it has none. */
export interface ImportItem {
  /** Where it stands in its file; counted from one. */
  readonly line: number
  readonly user: ForeignUser | { readonly refusal: Refusal }
}

/** Changes the account of a record; undefined: it has none here. Rejects with StoreUnavailable. */
export type UpdateAccount = (item: ImportItem) => Promise<ImportOutcome | undefined>

/**
 * Imports the accounts of several items; the outcomes are in their order. After a failure half-way, the
 * same call again reports the accounts that were imported as already there. Rejects with StoreUnavailable.
 */
export type ImportUsers = <Item extends ImportItem>(
  items: readonly Item[],
) => Promise<{ readonly item: Item; readonly outcome: ImportOutcome }[]>

/** Makes the import of one file. */
export function createImportUsers(options: ImportOptions): ImportUsers {
  const { directory, hasher, dryRun } = options
  const judge = createJudgeOrUpdate(options)
  const hashing = pLimit(hasher.capacity.concurrency)
  const wholeFile = createTwins()
  return async items => {
    // What was imported before is in the store, unless this is a dry run.
    const twins = dryRun ? wholeFile : createTwins()
    const judged = (await judge(items)).map(({ item, verdict }) => ({
      item,
      verdict: verdict.kind === 'candidate' ? twins.judge(verdict, item.line) : verdict,
    }))
    const candidates = judged.flatMap(({ verdict }) =>
      verdict.kind === 'candidate' ? [verdict] : [],
    )
    const accounts = await Promise.all(
      candidates.map(candidate =>
        hashing(async () => ({ candidate, account: await candidate.make(dryRun) })),
      ),
    )
    const added = dryRun
      ? undefined
      : await directory.addAll(accounts.map(({ account }) => account))
    const lost = new Set<Judged>(
      accounts
        .filter(({ account }) => added?.has(account) === false)
        .map(({ candidate }) => candidate),
    )
    return judged.map(({ item, verdict }) => ({
      item,
      outcome: verdict.kind === 'candidate' ? outcomeOf(verdict, lost) : verdict,
    }))
  }
}

// Another process took the name between the check and the import.
function outcomeOf(candidate: Candidate, lost: ReadonlySet<Judged>): ImportOutcome {
  return lost.has(candidate)
    ? refused({ reason: 'name_taken' })
    : { kind: 'imported', sub: candidate.sub }
}

interface Verdict<Item> {
  readonly item: Item
  readonly verdict: Judged
}

/** One after the other where accounts are changed: of two records of one account the later one counts. */
function createJudgeOrUpdate(options: ImportOptions) {
  const { update } = options
  const judge = createJudge(options)
  return async <Item extends ImportItem>(
    items: readonly Item[],
  ): Promise<readonly Verdict<Item>[]> => {
    if (update === undefined) {
      return Promise.all(items.map(async item => ({ item, verdict: await judge(item) })))
    }
    const judged: Verdict<Item>[] = []
    for (const item of items) {
      judged.push({ item, verdict: (await update(item)) ?? (await judge(item)) })
    }
    return judged
  }
}

function createJudge(options: ImportOptions) {
  const { directory, findLogin, subjects, clients, hasher, secrets } = options
  const subOf = createSubOf(secrets)
  return async ({ user }: ImportItem): Promise<Judged> => {
    if ('refusal' in user) return refused(user.refusal)
    const { secret, sub = subOf(user), scopes, roles, disabled } = user
    const [name, tag] = [judgeName(user.name), userTag(sub)]
    if ('fault' in name) {
      return refused({ reason: 'name_invalid', detail: `the name ${name.fault}` })
    }
    const { written, folded: foldedName } = name
    if (!isSub(sub)) return refused({ reason: 'sub_invalid' })
    if (clients.find(sub) !== undefined) return refused({ reason: 'sub_of_client' })
    const there = await directory.byName(foldedName)
    if (there !== undefined) {
      return there.sub === sub
        ? { kind: 'already_there', sub }
        : refused({ reason: 'name_taken' })
    }
    if ((await findLogin(written)) !== undefined) return refused({ reason: 'name_taken' })
    if ((await subjects.byTag(tag)) !== undefined) return refused({ reason: 'sub_taken' })
    const known = nextAttributes({ ...NOTHING_KNOWN, sub, roles }, user, options)
    if (isFault(known)) return refused(refusalOf(known))
    const { logins } = options.nameLogins.naming({ name: written, ...known })
    const taken = await firstTaken({ ...known, logins }, directory)
    if (taken !== undefined) return refused(takenAt(taken))
    if ('missing' in secret && options.invite !== true) {
      return refused({ reason: 'no_password', field: secret.missing })
    }
    const fault = await faultOf(user, options)
    if (fault !== undefined) return refused(fault)
    const hashOf = async () => {
      if ('missing' in secret) return NO_PASSWORD
      return 'passwordHash' in secret ? secret.passwordHash : hasher.hash(secret.password)
    }
    return {
      kind: 'candidate',
      sub,
      foldedName,
      uniqueValues: known.uniqueValues,
      logins,
      make: async dryRun => ({
        ...known,
        scopes,
        roles,
        disabled,
        name: written,
        sub,
        foldedName,
        tag,
        passwordHash: dryRun ? '' : await hashOf(),
      }),
    }
  }
}

/**
 * Derives ids from records, so that a second run tells its own accounts from others of the same name: UUIDs
 * of version 8 (RFC 9562 §5.8). A `sub` is public, so the derivation is keyed: nobody can test passwords on
 * it.
 */
function createSubOf(secrets: readonly string[]) {
  const [first] = deriveKeys(secrets, 'imported-sub')
  if (first === undefined) throw new TypeError('there is no secret')
  return ({ name, secret }: ForeignUser) =>
    uuidOf(
      createHmac('sha256', first.key)
        .update(JSON.stringify([name, secret]))
        .digest(),
    )
}

function refusalOf({ reason, path, expected }: AttributeFault): Refusal {
  return {
    reason,
    field: `attributes.${path}`,
    detail: `expected ${expected}`,
  }
}

async function faultOf(
  { name, secret }: ForeignUser,
  { hasher, checkNewPassword }: ImportOptions,
): Promise<Refusal | undefined> {
  if ('missing' in secret) return undefined
  if ('passwordHash' in secret) return hasher.checkForeign(secret.passwordHash)
  const reason = await checkNewPassword(secret.password, name)
  return reason && { reason }
}
