// Taking over accounts from elsewhere, with their hashes or with passwords, many at a time. Doing it again
// takes what is missing.
import { createHmac } from 'node:crypto'
import pLimit from 'p-limit'
import { userTag } from '../ids.ts'
import { deriveKeys } from '../secrets.ts'
import type { NewAccount, Users } from '../stores/ports.ts'
import { isSub, type Access } from './accounts.ts'
import { readName } from './names.ts'
import type { CheckNewPassword, PasswordFault } from './new-password.ts'
import type { PasswordHasher } from './passwords.ts'

/** An account as it stands elsewhere. */
export interface ForeignUser extends Access {
  readonly name: string
  /**
   * The id under which others know the user: 1 to 255 printable ASCII characters (OpenID Connect Core §2).
   * Made of the record when left out.
   */
  readonly sub?: string
  readonly disabled: boolean
  /** What is known of the password: the password, or its hash in any form that docs/passwords.md lists. */
  readonly secret: { readonly password: string } | { readonly passwordHash: string }
}

/** Why an account isn't taken. */
export type ImportFault =
  | PasswordFault
  | 'line_no_json'
  | 'line_malformed'
  | 'name_invalid'
  | 'name_taken'
  | 'sub_invalid'
  | 'sub_taken'
  | 'hash_unsupported'
  | 'hash_too_costly'

export type ImportOutcome =
  | { readonly kind: 'taken'; readonly sub: string }
  /** The account is there, from an earlier run: its name and its `sub`. Nothing was changed. */
  | { readonly kind: 'already_there'; readonly sub: string }
  | { readonly kind: 'refused'; readonly reason: ImportFault }

export interface ImportOptions {
  readonly users: Users
  readonly hasher: PasswordHasher
  readonly checkNewPassword: CheckNewPassword
  /** The first one makes the ids of accounts that bring none. */
  readonly secrets: readonly string[]
  /** Whether everything is checked and nothing added. */
  readonly dryRun: boolean
}

/** Something that carries an account, or why there is none to take. */
export interface ImportItem {
  readonly user: ForeignUser | { readonly unread: ImportFault }
}

/**
 * Takes the accounts of several items; the outcomes are in their order. A failure in between leaves those
 * before it: the same call again says of them that they are already there. Rejects with StoreUnavailable.
 */
export type ImportUsers = <Item extends ImportItem>(
  items: readonly Item[],
) => Promise<{ readonly item: Item; readonly outcome: ImportOutcome }[]>

/** Makes the import. */
export function createImportUsers(options: ImportOptions): ImportUsers {
  const { users, hasher, dryRun } = options
  const judge = createJudge(options)
  const hashing = pLimit(hasher.capacity.concurrency)
  return async items => {
    const judged = await Promise.all(
      items.map(async item => ({ item, verdict: await judge(item) })),
    )
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
      : await users.addAll(accounts.map(({ account }) => account))
    const lost = new Set<Judged>(
      accounts
        .filter(({ account }) => added?.has(account) === false)
        .map(({ candidate }) => candidate),
    )
    return judged.map(({ item, verdict }) => ({
      item,
      outcome:
        verdict.kind === 'candidate' ? outcomeOf(verdict, candidates, lost) : verdict,
    }))
  }
}

/** An account that may be added, once its hash is made. */
interface Candidate {
  readonly kind: 'candidate'
  readonly sub: string
  readonly make: (dryRun: boolean) => Promise<NewAccount>
}

type Judged = Candidate | ImportOutcome

// Two of one batch may share an id, or a name.
function outcomeOf(
  candidate: Candidate,
  all: readonly Candidate[],
  lost: ReadonlySet<Judged>,
): ImportOutcome {
  const { sub } = candidate
  if (!lost.has(candidate)) return { kind: 'taken', sub }
  return refused(
    all.filter(other => other.sub === sub).length > 1 ? 'sub_taken' : 'name_taken',
  )
}

function createJudge(options: ImportOptions) {
  const { users, hasher, secrets } = options
  const subOf = createSubOf(secrets)
  return async ({ user }: ImportItem): Promise<Judged> => {
    if ('unread' in user) return refused(user.unread)
    const { secret, sub = subOf(user), ...rest } = user
    const [name, tag] = [readName(user.name), userTag(sub)]
    if (name === undefined) return refused('name_invalid')
    const { written, folded: foldedName } = name
    if (!isSub(sub)) return refused('sub_invalid')
    const there = await users.byName(foldedName)
    if (there !== undefined) {
      return there.sub === sub ? { kind: 'already_there', sub } : refused('name_taken')
    }
    if ((await users.byTag(tag)) !== undefined) return refused('sub_taken')
    const fault = await faultOf(user, options)
    if (fault !== undefined) return refused(fault)
    const hashOf = async () =>
      'passwordHash' in secret ? secret.passwordHash : hasher.hash(secret.password)
    return {
      kind: 'candidate',
      sub,
      make: async dryRun => ({
        ...rest,
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
 * Makes ids of what a record says, so that a second run knows its own accounts from others of the same name:
 * UUIDs of version 8 (RFC 9562 §5.8). Keyed, as a `sub` is no secret: nobody can try out which password went
 * into it.
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
): Promise<ImportFault | undefined> {
  return 'passwordHash' in secret
    ? hasher.checkForeign(secret.passwordHash)?.reason
    : checkNewPassword(secret.password, name)
}

function refused(reason: ImportFault): ImportOutcome {
  return { kind: 'refused', reason }
}
