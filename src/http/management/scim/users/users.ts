// What SCIM does with users: adds, shows, changes and removes them by the services of the core, for the
// caller that the guard has named.
import type { FastifyRequest } from 'fastify'
import type { Core } from '../../../../core/core.ts'
import { OAuthError } from '../../../../oauth/errors.ts'
import { noResource, otherVersion, scimError } from '../../../../scim/errors.ts'
import { parseFilter } from '../../../../scim/filter/filter.ts'
import { listBody, type ListRequest } from '../../../../scim/list.ts'
import { applyPatch } from '../../../../scim/patch/patch.ts'
import { project, type Projection } from '../../../../scim/projection.ts'
import {
  COMMON,
  findAttribute,
  isObject,
  member,
  type Resource,
} from '../../../../scim/schema.ts'
import { userRequest, type UserRequest } from '../../../../scim/user/user-request.ts'
import { userResource, versionOf } from '../../../../scim/user/user-resource.ts'
import { USER, userSchemas } from '../../../../scim/user/user-schema.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import { externalIdOf } from '../../../../users/attributes/external-ids.ts'
import { matchesEtag } from '../../../request/etag.ts'
import type { Caller } from '../../callers/guard.ts'
import type { Cursors } from '../cursor.ts'
import { sourceOf } from './find-users.ts'
import { readPage } from './list-users.ts'
import { planUsers } from './plan.ts'
import { userError } from './user-errors.ts'

/** What users are served with. */
export interface UsersOptions {
  readonly core: Core
  readonly cursors: Cursors
  /** Whether passwords may be set. */
  readonly passwords: () => boolean
  /** Whether what the RFCs don't say is refused. */
  readonly strict: () => boolean
  /** Where SCIM is, as the caller of a request knows it. */
  readonly baseOf: (request: FastifyRequest) => string
}

/** A call of a route: who, and the request. */
export interface Call {
  readonly caller: Caller
  readonly request: FastifyRequest
}

/** A user as it is answered, and its ETag. */
export interface Shown {
  readonly body: Resource
  readonly version: string
  readonly location: string
}

/** The routes' work. Each throws OAuthError in SCIM's words, and StoreUnavailable. */
export interface Users {
  schemas(): ReturnType<typeof userSchemas>
  list(call: Call, asked: ListRequest): Promise<Resource>
  show(call: Call, id: string, projection: Projection): Promise<Shown>
  add(call: Call, body: unknown, projection: Projection): Promise<Shown>
  replace(call: Call, id: string, projection: Projection): Promise<Shown>
  patch(call: Call, id: string, projection: Projection): Promise<Shown>
  remove(call: Call, id: string): Promise<void>
}

/** Makes them. */
export function createUsers(options: UsersOptions): Users {
  const { core, passwords, strict } = options
  const declarations = core.settings.attributes
  const schemas = () => userSchemas(declarations(), { passwords: passwords() })
  const viewFor = createViews(options)

  async function shown(
    call: Call,
    account: Account,
    projection: Projection,
  ): Promise<Shown> {
    const resource = userResource(account, await viewFor(call))
    return {
      body: project(resource, projection, schemas()),
      version: versionOf(account),
      location: String(member(resource['meta'], 'location')),
    }
  }

  async function change(
    call: Call,
    id: string,
    next: (before: Resource) => Resource,
  ): Promise<Account> {
    const { caller, request } = call
    const { accounts } = core.as(caller.actor, request)
    const view = await viewFor(call)
    const outcome = await accounts.change(id, account => {
      refuseOtherVersion(call, account)
      const before = userResource(account, view)
      const read = { ...view, before, strict: strict() }
      const asked = allowed(userRequest(next(before), read))
      if (asked.disabled === true && !account.disabled) refuseOwn(caller, id)
      return asked
    })
    if (outcome.kind === 'refused') throw userError(outcome)
    return outcome.account
  }

  function allowed(asked: UserRequest): UserRequest {
    if (asked.password === undefined || passwords()) return asked
    throw scimError('invalidValue', 'passwords are not set by SCIM here (scim.passwords)')
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
      const read = { ...(await viewFor(call)), before: undefined, strict: strict() }
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

function createViews({ core, baseOf }: UsersOptions) {
  return async ({ caller, request }: Call) => ({
    declared: core.settings.attributes(),
    externalId: externalIdOf(caller.actor),
    base: baseOf(request),
    groups: (await core.store.groups.load()).groups,
  })
}

type ViewFor = ReturnType<typeof createViews>

function createList(
  { core, cursors }: UsersOptions,
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
    const resources = accounts.map(account =>
      project(userResource(account, view), projection, schemas()),
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
  return body
}
