// The shadow of somebody in a directory elsewhere: an account here, made at the first right login, with a
// `sub` that is derived from the directory and its id. So two servers that make it at once make one, and
// another name there finds the same one here.
import { NO_PASSWORD } from '../hashing/no-password.ts'
import type { Emit } from '../../base/events/events.ts'
import type { UserChange } from '../../base/events/changes.ts'
import { userTag } from '../../base/ids.ts'
import type { Account, NewAccount } from '../../stores/ports/directory.ts'
import { namesakeOf } from '../names/namesake.ts'
import { readName, type Name } from '../names/user-name.ts'
import { isRole } from '../roles.ts'
import type { Directory } from './directory.ts'
import {
  isShadowOf,
  type ExternalSettings,
  type Identity,
  type Lookup,
} from './external.ts'
import { completed, type GivenAttributes, type ReadGiven } from './given-attributes.ts'
import { subsOfShadow } from './identity.ts'

/** What comes of a login's identity; `name_taken`: an account of ours, or somebody else's, has the name. */
export type ShadowOutcome =
  | { readonly kind: 'kept'; readonly account: Account }
  | { readonly kind: 'refused'; readonly reason: 'directory_name_taken' }
  | { readonly kind: 'unavailable' }

/** The shadows. Promises reject with StoreUnavailable. */
export interface Shadows {
  /** Makes the shadow, or brings it up to date. */
  keep(source: ExternalSettings, identity: Identity): Promise<ShadowOutcome>
  /** Brings a shadow up to date. */
  refresh(account: Account, identity: Identity): Promise<Account>
  /** Ends the sessions of somebody who has gone or is disabled there, and forgets the password's copy. */
  drop(account: Account): Promise<void>
}

export interface ShadowsOptions {
  readonly directory: Directory
  readonly emit: Emit
  readonly readGiven: ReadGiven
  /** Whether a client has that id: a token of its own has it as `sub`. */
  readonly isClient: (id: string) => boolean
  /** Asks the account's directory for it. */
  readonly lookup: (account: Account) => Promise<Lookup>
}

/** Of writers at once one is first, and the others look again: so many times. */
const MOST_TRIES = 20

/** Makes the shadows. */
export function createShadows(options: ShadowsOptions): Shadows {
  const { directory, emit, isClient } = options
  const refresh = createRefresh(options)
  const freeName = createFreeName(options, refresh)
  const add = createAdd(options)
  /** The shadow by its other `sub`, which it keeps. */
  async function formerBy(sub: string, external: NonNullable<Account['external']>) {
    const former = await directory.byTag(userTag(sub))
    return isShadowOf(former?.external, external) ? former : undefined
  }

  return {
    refresh,
    async keep(source, identity) {
      const external = { directory: source.name, id: identity.externalId }
      const [sub, other = sub] = subsOfShadow(source, identity.externalId, isClient)
      const tag = userTag(sub)
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const account = (await directory.byTag(tag)) ?? (await formerBy(other, external))
        if (account !== undefined) {
          // An account of ours may have that `sub`: one that was adopted, or sub: external.
          if (!isShadowOf(account.external, external)) return NAME_TAKEN
          return { kind: 'kept', account: await refresh(account, identity) }
        }
        const added = await add(source, identity)
        if (added === 'name_invalid') return NAME_TAKEN
        if (added !== 'name_taken' || (await directory.byTag(tag)) !== undefined) continue
        const freed = await freeName(identity.name)
        if (freed !== 'freed') return freed === 'taken' ? NAME_TAKEN : AWAY
      }
      return AWAY
    },
    async drop({ tag, sub }) {
      const ended = await directory.setPassword(tag, NO_PASSWORD)
      if (ended) emit({ type: 'user.changed', sub, change: 'sessions_ended' })
    },
  }
}

const NAME_TAKEN = { kind: 'refused', reason: 'directory_name_taken' } as const
const AWAY = { kind: 'unavailable' } as const

/** Makes a step that adds the shadow, without those unique values that somebody else has. */
function createAdd({ directory, emit, readGiven, isClient }: ShadowsOptions) {
  return async function add(source: ExternalSettings, identity: Identity) {
    const name = readName(identity.name)
    if (name === undefined) return 'name_invalid'
    const [sub] = subsOfShadow(source, identity.externalId, isClient)
    const roles = rolesOf(identity) ?? []
    const account: Omit<NewAccount, keyof GivenAttributes> = {
      sub,
      tag: userTag(sub),
      name: name.written,
      foldedName: name.folded,
      scopes: source.scopes ?? null,
      roles,
      disabled: false,
      passwordHash: NO_PASSWORD,
      external: { directory: source.name, id: identity.externalId },
    }
    if (
      (await namesakeOf(directory.findLogin, name.written, account.tag)) !== undefined
    ) {
      return 'name_taken'
    }
    const added = await withoutTaken({ ...identity, sub, roles }, readGiven, given =>
      directory.add({ ...account, ...given }),
    )
    if (added === 'added') emit({ type: 'user.changed', sub, change: 'added' })
    return added
  }
}

/** Leaves out, one by one, the attributes whose value somebody else has. */
async function withoutTaken<Outcome extends string>(
  whole: Parameters<ReadGiven>[0],
  readGiven: ReadGiven,
  write: (
    given: GivenAttributes,
  ) => Promise<Outcome | { readonly kind: 'value_taken'; readonly attribute: string }>,
): Promise<Outcome> {
  const left = new Map(Object.entries(whole.attributes))
  for (;;) {
    const given = readGiven({ ...whole, attributes: Object.fromEntries(left) })
    const outcome = await write(given)
    if (typeof outcome === 'string') return outcome
    left.delete(outcome.attribute)
  }
}

function rolesOf({ roles }: Identity): readonly string[] | undefined {
  return roles && [...new Set(roles.filter(isRole))]
}

/** Makes the step that takes over, in one step, what has changed there. */
function createRefresh({ directory, emit, readGiven }: ShadowsOptions) {
  /** The name there, unless it logs in somebody else here: the shadow keeps the one of before then. */
  async function freeNameFor(
    { tag, name: before }: Account,
    identity: Identity,
  ): Promise<Name | undefined> {
    const name = readName(identity.name)
    if (name === undefined || name.written === before) return name
    const namesake = await namesakeOf(directory.findLogin, name.written, tag)
    return namesake === undefined ? name : undefined
  }

  async function write(
    before: Account,
    identity: Identity,
    name: Name | undefined,
  ): Promise<readonly UserChange[] | 'again'> {
    const { sub, tag, version } = before
    const roles = rolesOf(identity) ?? before.roles
    let changes: readonly UserChange[] = []
    const outcome = await withoutTaken(
      { ...completed(before, identity), sub, roles },
      readGiven,
      async given => {
        const isRenamed = name !== undefined && name.written !== before.name
        changes = changesOf(before, { ...given, roles, isRenamed })
        if (changes.length === 0) return 'changed'
        const changed = await directory.change({
          ...given,
          ...(isRenamed && { name: name.written, foldedName: name.folded }),
          tag,
          version,
          roles,
          endsSessions: false,
        })
        return changed.kind === 'value_taken' ? changed : changed.kind
      },
    )
    // An account of ours keeps the name, and the shadow the one of before.
    if (outcome === 'name_taken') return write(before, identity, undefined)
    return outcome === 'changed' ? changes : 'again'
  }

  return async function refresh(before: Account, identity: Identity): Promise<Account> {
    const { tag, sub } = before
    let account = before
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const changes = await write(account, identity, await freeNameFor(account, identity))
      if (changes !== 'again') {
        for (const change of changes) emit({ type: 'user.changed', sub, change })
        return changes.length === 0 ? account : ((await directory.byTag(tag)) ?? account)
      }
      account = (await directory.byTag(tag)) ?? account
    }
    return account
  }
}

function changesOf(
  before: Account,
  after: GivenAttributes & Pick<Account, 'roles'> & { readonly isRenamed: boolean },
): readonly UserChange[] {
  const { attributes, emailVerified } = before
  const isKnown =
    isSame(attributes, after.attributes) && emailVerified === after.emailVerified
  return [
    ...(after.isRenamed ? (['renamed'] as const) : []),
    ...(isSame(before.roles, after.roles) ? [] : (['access'] as const)),
    ...(isKnown ? [] : (['attributes'] as const)),
  ]
}

function isSame(one: object, other: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort())
  return sorted(one) === sorted(other)
}

/** Makes the step that asks the directory of a shadow whether it still has the name, and frees it if not. */
function createFreeName(
  { directory, emit, lookup }: ShadowsOptions,
  refresh: Shadows['refresh'],
) {
  async function removed(before: Account): Promise<'freed'> {
    const { tag, sub } = before
    if (await directory.remove(tag)) {
      emit({ type: 'user.changed', sub, change: 'removed' }, undefined, { before })
    }
    return 'freed'
  }

  return async (name: string): Promise<'freed' | 'taken' | 'away'> => {
    const holder = await directory.findLogin(name)
    if (holder === undefined) return 'freed'
    // Who signed up here and proved nothing yet gives way to who has proved it there.
    if (holder.pending?.signUp === true) return removed(holder)
    if (holder.external === undefined) return 'taken'
    const found = await lookup(holder)
    if (found.kind === 'unavailable') return 'away'
    if (found.kind === 'gone') return removed(holder)
    if (found.kind !== 'found') return 'taken'
    const after = await refresh(holder, found.identity)
    return after.foldedName === holder.foldedName ? 'taken' : 'freed'
  }
}
