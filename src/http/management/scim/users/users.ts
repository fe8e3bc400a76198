// What SCIM does with users: adds, shows, changes and removes them by the services of the core, for the
// caller that the guard has named.
import { isDeepStrictEqual } from 'node:util'
import { mapInPieces } from '../../../../base/pieces.ts'
import { OAuthError } from '../../../../oauth/errors.ts'
import {
  noResource,
  otherVersion,
  scimError,
  undeclared,
} from '../../../../scim/errors.ts'
import { parseFilter } from '../../../../scim/filter/filter.ts'
import { listBody } from '../../../../scim/list.ts'
import { applyPatch } from '../../../../scim/patch/patch.ts'
import { project, projectorOf, type Projection } from '../../../../scim/projection.ts'
import {
  COMMON,
  findAttribute,
  isObject,
  member,
  type Resource,
} from '../../../../scim/schema.ts'
import { userRequest, type UserRequest } from '../../../../scim/user/user-request.ts'
import { versionOf } from '../../../../scim/user/user-resource.ts'
import { USER, userSchemas } from '../../../../scim/user/user-schema.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import { matchesEtag } from '../../../request/etag.ts'
import type { Caller } from '../../callers/guard.ts'
import { sourceOf } from './find-users.ts'
import { readPage } from './list-users.ts'
import { planUsers } from './plan.ts'
import { createViews, resourceOf } from './shown-user.ts'
import { userError } from './user-errors.ts'
import type { Call, Resources, ResourcesOptions, Shown } from '../resources.ts'

/** The routes' work at users. Each throws OAuthError in SCIM's words, and StoreUnavailable. */
export interface Users extends Resources {
  schemas(): ReturnType<typeof userSchemas>
}

/** Makes them. */
export function createUsers(options: ResourcesOptions): Users {
  const { core, passwords, strict } = options
  const declarations = core.settings.attributes
  const schemas = () => userSchemas(declarations(), { passwords: passwords() })
  const viewFor = createViews(options)
  const allowed = createAllowed(passwords)
  const change = createChange({ ...options, viewFor, allowed })

  async function shown(
    call: Call,
    account: Account,
    projection: Projection,
  ): Promise<Shown> {
    const resource = resourceOf(account, await viewFor(call))
    return {
      body: project(resource, projection, schemas()),
      version: versionOf(account),
      location: String(member(resource['meta'], 'location')),
    }
  }

  async function require(id: string): Promise<Account> {
    const account = await core.accounts.bySub(id)
    if (account === undefined) throw noResource()
    return account
  }

  const wholeUser = (body: unknown) => readWhole(body, schemas(), strict())

  return {
    schemas,
    list: createList(options, viewFor, schemas),
    async show(call, id, projection) {
      return shown(call, await require(id), projection)
    },
    async add(call, body, projection) {
      const read = {
        ...(await viewFor(call)),
        before: undefined,
        strict: strict(),
      }
      const { scopes = null, ...asked } = allowed(userRequest(wholeUser(body), read))
      const { accounts } = core.as(call.caller.actor, call.request)
      const added = await accounts.add({ ...asked, scopes, roles: [] })
      if (added.kind === 'refused') throw userError(added)
      return shown(call, await require(added.account.sub), projection)
    },
    async replace(call, id, projection) {
      const user = wholeUser(call.request.body)
      return shown(call, await change(call, id, () => user), projection)
    },
    async patch(call, id, projection) {
      const rules = {
        schemas: userSchemas(declarations(), { passwords: true, isRead: true }),
        strict: strict(),
      }
      const account = await change(call, id, before =>
        applyPatch(before, call.request.body, rules),
      )
      return shown(call, account, projection)
    },
    async remove(call, id) {
      refuseOtherVersion(call, await require(id))
      refuseOwn(call.caller, id)
      const { accounts } = core.as(call.caller.actor, call.request)
      const removed = await accounts.removeBySub(id)
      if (removed.kind === 'refused') throw noResource()
    },
  }
}

type Allowed = (asked: UserRequest) => UserRequest

/** Refuses a password where none may be set by SCIM. */
function createAllowed(passwords: ResourcesOptions['passwords']): Allowed {
  return asked => {
    if (asked.password === undefined || passwords()) return asked
    throw scimError('invalidValue', 'passwords are not set by SCIM here (scim.passwords)')
  }
}

/** Makes the change of one user; `next` gives the whole user from the one before. */
function createChange({
  core,
  strict,
  viewFor,
  allowed,
}: ResourcesOptions & {
  readonly viewFor: ReturnType<typeof createViews>
  readonly allowed: Allowed
}) {
  return async function change(
    call: Call,
    id: string,
    next: (before: Resource) => Resource,
  ): Promise<Account> {
    const { caller, request } = call
    const { accounts } = core.as(caller.actor, request)
    const view = await viewFor(call)
    const outcome = await accounts.change(id, account => {
      refuseOtherVersion(call, account)
      const before = resourceOf(account, view)
      const read = { ...view, before, strict: strict() }
      const asked = allowed(userRequest(next(before), read))
      if (takesAway(asked, account)) refuseOwn(caller, id)
      return asked
    })
    if (outcome.kind === 'refused') throw userError(outcome)
    return outcome.account
  }
}

/** Whether they would have other rights than now, or none; without the scope of now an operator is none. */
function takesAway({ disabled, scopes }: UserRequest, account: Account): boolean {
  const isSuspended = disabled === true && !account.disabled
  return (
    isSuspended || (scopes !== undefined && !isDeepStrictEqual(scopes, account.scopes))
  )
}

type ViewFor = ReturnType<typeof createViews>

function createList(
  { core, cursors }: ResourcesOptions,
  viewFor: ViewFor,
  schemas: () => ReturnType<typeof userSchemas>,
): Users['list'] {
  return async function listUsers(call, { filter, projection, ...page }) {
    const view = await viewFor(call)
    const declarations = core.settings.attributes()
    const findsEmail = declarations.get('email')?.unique === true
    const plan =
      filter === undefined ? undefined : planUsers(parseFilter(filter), findsEmail)
    const source = await sourceOf(plan, {
      accounts: core.accounts,
      declarations,
      externalId: view.externalId,
    })
    const list = ['Users', call.caller.actor, filter ?? '']
    const { accounts, ...rest } = await readPage(source, page, { cursors, list })
    const projected = projectorOf(projection, schemas())
    const resources = await mapInPieces(accounts, account =>
      projected(resourceOf(account, view)),
    )
    return listBody({ resources, ...rest })
  }
}

/** RFC 7644 §3.14: never asked for, and heard where it comes. */
function refuseOtherVersion({ request }: Call, account: Account): void {
  const ifMatch = request.headers['if-match']
  if (ifMatch === undefined) return
  if (!matchesEtag(ifMatch, versionOf(account).slice('W/'.length))) throw otherVersion()
}

// Of operators one is always left: nobody takes their own account away.
export function refuseOwn({ sub }: Caller, id: string): void {
  if (sub !== id) return
  throw new OAuthError(403, 'forbidden', {
    description:
      'you come with this account: another operator may change what it may do, disable or remove it',
    reason: 'own_account',
  })
}

/** A user that is sent whole. */
function readWhole(
  body: unknown,
  { core, extensions }: ReturnType<typeof userSchemas>,
  strict: boolean,
): Resource {
  const named = member(body, 'schemas')
  if (!isObject(body) || !Array.isArray(named) || !named.includes(USER)) {
    throw scimError('invalidSyntax', `schemas must name ${USER}`)
  }
  const known = [...core.attributes, ...COMMON]
  const ids = extensions.map(({ id }) => id)
  const unknown = Object.keys(body).find(
    name => findAttribute(known, name) === undefined && !ids.includes(name),
  )
  if (strict && unknown !== undefined) {
    throw scimError('invalidValue', `${unknown.slice(0, 64)} is not kept here`)
  }
  for (const extension of extensions) {
    const given = Object.keys(Object(member(body, extension.id)))
    // Some say `schemas` there, too, which every resource has.
    const other = given.find(
      name => name !== 'schemas' && !findAttribute(extension.attributes, name),
    )
    if (other !== undefined) throw undeclared(extension, other)
  }
  return body
}
