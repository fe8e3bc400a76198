// This folder imports accounts from other systems, with their hashes or with passwords, many at a time. It
// reads no file. The command line calls it; a second run imports what the first one missed.
import { createHmac } from 'node:crypto'
import pLimit from 'p-limit'
import { userTag } from '../../base/ids.ts'
import { deriveKeys } from '../../base/secrets.ts'
import type { BuiltInDirectory, NewAccount } from '../../stores/ports/directory.ts'
import type { Subjects } from '../../stores/ports/subjects.ts'
import { isSub, type Access } from '../accounts.ts'
import { judgeName } from '../names/user-name.ts'
import type { CheckNewPassword, PasswordFault } from '../new-password.ts'
import type { HashFault, PasswordHasher } from '../hashing/hasher.ts'

/** An account of another system. */
export interface ForeignUser extends Access {
  readonly name: string
  /**
   * The id under which others know the user: 1 to 255 printable ASCII characters (OpenID Connect Core §2).
   * Derived from the record when left out.
   */
  readonly sub?: string
  readonly disabled: boolean
  /** The password, or its hash in any form that docs/passwords.md lists. */
  readonly secret: { readonly password: string } | { readonly passwordHash: string }
}

/** Why an account isn't imported. */
export type ImportFault =
  | PasswordFault
  | HashFault['reason']
  | 'line_no_json'
  | 'line_malformed'
  | 'user_deleted'
  | 'no_password'
  | 'name_invalid'
  | 'name_taken'
  | 'sub_invalid'
  | 'sub_taken'
  | 'sub_of_client'

/** A fault and where it is; never a value of the record, which may be a secret. */
export interface Refusal {
  readonly reason: ImportFault
  /** The field of the file. */
  readonly field?: string
  /** What is wrong with it, where the reason says less. */
  readonly detail?: string
  /** Where in the same file the name, or the id, stands before. */
  readonly twin?: number
}

export type ImportOutcome =
  | { readonly kind: 'imported'; readonly sub: string }
  /** The account is there, from an earlier run: its name and its `sub`. Nothing was changed. */
  | { readonly kind: 'already_there'; readonly sub: string }
  | ({ readonly kind: 'refused' } & Refusal)

export interface ImportOptions {
  readonly directory: Pick<BuiltInDirectory, 'addAll' | 'byName'>
  readonly subjects: Pick<Subjects, 'byTag'>
  /** Where clients are looked up: a token of a client's own has its id as `sub`. */
  readonly clients: { readonly find: (id: string) => unknown }
  readonly hasher: PasswordHasher
  readonly checkNewPassword: CheckNewPassword
  /** The first one makes the ids of accounts that bring none. */
  readonly secrets: readonly string[]
  /** Whether everything is checked and nothing added. */
  readonly dryRun: boolean
}

/** A record of a file: an account, or why it has none. */
export interface ImportItem {
  /** Where it stands in its file; counted from one. */
  readonly line: number
  readonly user: ForeignUser | { readonly refusal: Refusal }
}

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
  const judge = createJudge(options)
  const hashing = pLimit(hasher.capacity.concurrency)
  const wholeFile = createTwins()
  return async items => {
    // What was imported before is in the store, unless this is a dry run.
    const twins = dryRun ? wholeFile : createTwins()
    const judged = (
      await Promise.all(items.map(async item => ({ item, verdict: await judge(item) })))
    ).map(({ item, verdict }) => ({
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

/** An account that may be added, once its hash is made. */
interface Candidate {
  readonly kind: 'candidate'
  readonly sub: string
  readonly foldedName: string
  readonly make: (dryRun: boolean) => Promise<NewAccount>
}

type Judged = Candidate | ImportOutcome

// Another process took the name between the check and the import.
function outcomeOf(candidate: Candidate, lost: ReadonlySet<Judged>): ImportOutcome {
  return lost.has(candidate)
    ? refused({ reason: 'name_taken' })
    : { kind: 'imported', sub: candidate.sub }
}

/** Finds records of one file that share a name or an id: the first one is imported, as in the store. */
function createTwins() {
  const [names, subs] = [
    new Map<string, { sub: string; line: number }>(),
    new Map<string, number>(),
  ]
  return {
    judge(candidate: Candidate, line: number): Judged {
      const { foldedName, sub } = candidate
      const [namesake, sameSub] = [names.get(foldedName), subs.get(sub)]
      if (namesake?.sub === sub) return { kind: 'already_there', sub }
      if (namesake !== undefined) return twin('name_taken', namesake.line)
      if (sameSub !== undefined) return twin('sub_taken', sameSub)
      names.set(foldedName, { sub, line })
      subs.set(sub, line)
      return candidate
    },
  }
}

function twin(reason: 'name_taken' | 'sub_taken', line: number): ImportOutcome {
  return refused({ reason, twin: line })
}

function createJudge(options: ImportOptions) {
  const { directory, subjects, clients, hasher, secrets } = options
  const subOf = createSubOf(secrets)
  return async ({ user }: ImportItem): Promise<Judged> => {
    if ('refusal' in user) return refused(user.refusal)
    const { secret, sub = subOf(user), ...rest } = user
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
    if ((await subjects.byTag(tag)) !== undefined) return refused({ reason: 'sub_taken' })
    const fault = await faultOf(user, options)
    if (fault !== undefined) return refused(fault)
    const hashOf = async () =>
      'passwordHash' in secret ? secret.passwordHash : hasher.hash(secret.password)
    return {
      kind: 'candidate',
      sub,
      foldedName,
      make: async dryRun => ({
        ...rest,
        attributes: {},
        emailVerified: false,
        uniqueValues: [],
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
  return ({ name, secret }: ForeignUser) => {
    const bytes = createHmac('sha256', first.key)
      .update(JSON.stringify([name, secret]))
      .digest()
      .subarray(0, 16)
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }
}

async function faultOf(
  { name, secret }: ForeignUser,
  { hasher, checkNewPassword }: ImportOptions,
): Promise<Refusal | undefined> {
  if ('passwordHash' in secret) return hasher.checkForeign(secret.passwordHash)
  const reason = await checkNewPassword(secret.password, name)
  return reason && { reason }
}

function refused(refusal: Refusal): ImportOutcome {
  return { kind: 'refused', ...refusal }
}
