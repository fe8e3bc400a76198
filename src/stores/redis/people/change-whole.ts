// Changes whatever is named of an account in Redis (write-around.ts).
import type {
  Account,
  AccountChange,
  AccountChangeOutcome,
  BuiltInDirectory,
} from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import type { AccountReader, FoundAccount } from './account-reader.ts'
import { CHANGED, createChangeAt } from './change-account.ts'
import type { Claims } from './claims/claims.ts'
import type { FindTaken } from './claims/login-texts.ts'
import type { AccountIndex } from './index/account-index.ts'
import type { Indexed } from './index/entries.ts'
import type { UniqueValues } from './claims/unique-values.ts'
import { createWriteAround, type Texts } from './write-around.ts'

/** What the change needs beside the adapter. */
interface ChangeParts {
  readonly reader: AccountReader
  readonly names: Claims
  readonly values: UniqueValues
  readonly index: AccountIndex
  readonly findTaken: FindTaken
}

type Taken = Extract<AccountChangeOutcome, { kind: 'name_taken' | 'value_taken' }>

/** Makes `change`. */
export function createChangeWhole(
  adapter: RedisAdapter,
  parts: ChangeParts,
): Pick<BuiltInDirectory, 'change'> {
  const { reader, findTaken } = parts
  const changeAt = createChangeAt(adapter)
  const writeAround = createWriteAround(parts)

  // Without a ticket none is refused.
  const write = async ({
    tag,
    version,
    endsSessions,
    logins: _,
    ...set
  }: AccountChange) => oneOf(CHANGED, await changeAt({ tag, version, endsSessions, set }))

  return {
    async change(request) {
      const { tag, version, logins } = request
      const before = await reader.read(tag)
      if (before === undefined) return { kind: 'user_unknown' }
      if (before.account.version !== version) return { kind: 'superseded' }
      const next = nextOf(request, before)
      const isNamed = next.foldedName !== before.account.foldedName
      const { claimAll, giveUp } = createBothClaims(parts, isNamed)
      const wanted = { tag, logins, isNamed, had: before.uniqueValues }
      return writeAround<AccountChangeOutcome, Taken>({
        before,
        next,
        giveUp,
        async claim(texts) {
          const taken = (await claimAll(texts)) ?? (await findTaken(wanted))
          if (taken !== undefined) await giveUp(texts)
          return taken
        },
        write: async () => ({ kind: await write(request) }),
        undo: () => write(undoing(request, before)),
      })
    },
  }
}

function nextOf(
  { foldedName, uniqueValues }: AccountChange,
  { account }: FoundAccount,
): Indexed {
  return { ...account, foldedName: foldedName ?? account.foldedName, uniqueValues }
}

/** What puts back what the account had. Sessions that have ended stay ended. */
function undoing(
  { tag, version }: AccountChange,
  { account, uniqueValues }: FoundAccount,
): AccountChange {
  const { name, foldedName, passwordHash, disabled, scopes, roles }: Account = account
  const { attributes, emailVerified } = account
  return {
    tag,
    version: version + 1,
    name,
    foldedName,
    passwordHash,
    disabled,
    scopes,
    roles,
    attributes,
    emailVerified,
    uniqueValues,
    endsSessions: false,
  }
}

/** Claims on unique values and, where it is another one, on the name. */
function createBothClaims(
  { names, values }: Pick<ChangeParts, 'names' | 'values'>,
  isNamed: boolean,
) {
  return {
    async giveUp({ tag, foldedName, uniqueValues }: Texts): Promise<void> {
      await values.giveUp(tag, uniqueValues)
      if (isNamed) await names.giveUp(foldedName, tag)
    },
    async claimAll({ tag, foldedName, uniqueValues }: Texts): Promise<Taken | undefined> {
      const taken = await values.claimAll(tag, uniqueValues)
      if (taken !== undefined || !isNamed) return taken
      return (await names.claim(foldedName, tag)) ? undefined : { kind: 'name_taken' }
    },
  }
}
