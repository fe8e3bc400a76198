// A directory that is an LDAP server: the entry of a name is searched, then its DN is bound with a password.
// A password that is empty or holds a NUL is never sent, because such a bind is anonymous and succeeds
// (RFC 4513 §5.1.2). Exactly one entry may be found, references to other servers are not followed, and only
// answers that are about the user are verdicts.
import {
  AndFilter,
  EqualityFilter,
  PresenceFilter,
  type Entry,
  type Filter,
} from 'ldapts'
import type { Monotonic } from '../../../base/clock.ts'
import type { Declarations } from '../../attributes/declarations.ts'
import type {
  ExternalSettings,
  Identity,
  Lookup,
  NamedDirectory,
  Unavailable,
  Verdict,
} from '../external.ts'
import { openConnection, type Search } from './connection.ts'
import {
  idValue,
  isDisabled,
  readEntry,
  STATE_ATTRIBUTES,
  type EntryMap,
} from './entry.ts'
import { readTemplate, type Template } from './filter.ts'
import { createPatience, createPool } from './pool.ts'
import { readBindResult, type BindVerdict } from './result-codes.ts'
import { groupsIn, rolesOf, type GroupSettings } from './roles.ts'
import { LdapFault, LdapResult, servicePassword, type LdapServer } from './server.ts'
import { ofQuestion, unavailable, unavailableBy } from './unavailable.ts'

/** What the configuration says of it. */
export interface LdapDirectorySettings extends ExternalSettings, LdapServer, EntryMap {
  readonly type: 'ldap'
  /** Below it users are searched. */
  readonly base: string
  /** Finds who has the name `{name}`. */
  readonly filter: string
  /** Undefined: the directory says nothing of roles. */
  readonly groups?: GroupSettings | undefined
}

export interface LdapDirectoryOptions {
  readonly settings: LdapDirectorySettings
  readonly declarations: () => Declarations
  readonly monotonic: Monotonic
}

/** Makes the directory. It connects when it is asked; throws Error where a filter is none. */
export function createLdapDirectory(options: LdapDirectoryOptions): NamedDirectory {
  const { settings } = options
  const byName = templateOf(settings.filter, '{name}')
  const wire = createWire(options)
  const identify = createIdentify(options, wire)

  async function verify(
    { name, password }: { readonly name: string; readonly password: string },
    signal: AbortSignal,
  ): Promise<Verdict> {
    if (password === '' || password.includes('\0')) return { kind: 'wrong' }
    const found = await wire.find(byName.fill(name), signal)
    const [entry] = found
    // Two with a name: nobody is let in for somebody else.
    if (entry === undefined || found.length > 1) return { kind: 'unknown' }
    const bound = await wire.bind(entry, password, signal)
    if (bound !== 'right') return bound
    const identity = await identify(entry, signal)
    return 'fault' in identity ? identity : { kind: 'ok', identity }
  }

  async function lookup(id: string, signal: AbortSignal): Promise<Lookup> {
    const { idAttribute } = settings
    const value = idValue(id, idAttribute)
    if (value === undefined) return { kind: 'gone' }
    const isIt = new EqualityFilter({ attribute: idAttribute, value })
    const [entry, second] = await wire.find(
      new AndFilter({ filters: [byName.any(), isIt] }),
      signal,
    )
    if (second !== undefined) return ofQuestion(`two entries have one ${idAttribute}`)
    if (entry !== undefined) {
      const identity = await identify(entry, signal)
      if ('fault' in identity) return identity
      // The server may fold case, blanks and accents: who is alike is somebody else.
      return identity.externalId === id
        ? { kind: 'found', identity }
        : ofQuestion(`the entry has another ${idAttribute} than was asked for`)
    }
    // Who may read nothing any more finds nobody, and nobody has gone.
    const seen = await wire.find(new PresenceFilter({ attribute: idAttribute }), signal)
    return seen.length > 0
      ? { kind: 'gone' }
      : unavailable(`bindDn may read no entry with ${idAttribute} below base`)
  }

  return {
    settings,
    givesHashes: false,
    takesAnyId: true,
    verify: (attempt, signal) => verify(attempt, signal).catch(unavailableBy),
    lookup: (id, signal) => lookup(id, signal).catch(unavailableBy),
    close: async () => {
      wire.close()
    },
  }
}

/** The questions to the server. They reject with LdapFault and LdapResult. */
interface Wire {
  /** At most two entries. */
  find(filter: Filter, signal: AbortSignal): Promise<readonly Entry[]>
  search(search: Search, signal: AbortSignal): Promise<readonly Entry[]>
  bind(
    entry: Entry,
    password: string,
    signal: AbortSignal,
  ): Promise<BindVerdict | 'right'>
  close(): void
}

function createWire({ settings, monotonic }: LdapDirectoryOptions): Wire {
  const size = settings.connections
  const patience = createPatience(settings.timeout / 2, monotonic)
  const searching = createPool({ size, patience, monotonic, open: openSearching })
  const checking = createPool({
    size,
    patience,
    monotonic,
    open: signal => openConnection(settings, signal),
  })
  const attributes = wantedOf(settings)

  async function openSearching(signal: AbortSignal) {
    const { bindDn } = settings
    const password = servicePassword(settings)
    const connection = await openConnection(settings, signal)
    if (bindDn === undefined) return connection
    try {
      await connection.bind(bindDn, password, signal)
    } catch (error) {
      connection.close()
      if (!(error instanceof LdapResult)) throw error
      throw new LdapFault(`bindDn was refused with result code ${error.code}`)
    }
    return connection
  }

  const search: Wire['search'] = (wanted, signal) =>
    searching.use(signal, connection => connection.search(wanted, signal))

  return {
    search,
    find: (filter, signal) =>
      search(
        {
          base: settings.base,
          scope: 'sub',
          filter,
          sizeLimit: 2,
          attributes,
          explicitBufferAttributes: ['objectGUID'],
        },
        signal,
      ),
    async bind(entry, password, signal) {
      try {
        await checking.use(signal, each => each.bind(entry.dn, password, signal))
        return 'right'
      } catch (error) {
        if (!(error instanceof LdapResult)) throw error
        return readBindResult(error, isDisabled(entry))
      }
    },
    close() {
      searching.close()
      checking.close()
    },
  }
}

/** Makes the step that reads who an entry is, with the roles. */
function createIdentify(
  { settings, declarations }: LdapDirectoryOptions,
  { search }: Wire,
) {
  const { groups } = settings
  const searched =
    groups?.base === undefined
      ? undefined
      : { base: groups.base, template: templateOf(groups.filter, '{dn}') }

  async function searchGroups(
    { dn }: Entry,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    if (searched === undefined) return []
    const { base, template } = searched
    // 1.1: no attributes (RFC 4511 §4.5.1.8).
    const wanted = {
      base,
      filter: template.fill(dn),
      attributes: ['1.1'],
    }
    return (await search(wanted, signal)).map(group => group.dn)
  }

  return async (entry: Entry, signal: AbortSignal): Promise<Identity | Unavailable> => {
    const identity = readEntry(entry, settings, declarations())
    if (typeof identity === 'string') return ofQuestion(identity)
    if (groups === undefined) return identity
    const found = await searchGroups(entry, signal)
    return { ...identity, roles: rolesOf([...groupsIn(entry, groups), ...found], groups) }
  }
}

function wantedOf(settings: LdapDirectorySettings): readonly string[] {
  const { idAttribute, nameAttribute, attributes, groups } = settings
  const mapped = Object.values(attributes)
  const group = groups?.attribute ?? []
  return [
    ...new Set([idAttribute, nameAttribute, mapped, group, [...STATE_ATTRIBUTES]].flat()),
  ]
}

function templateOf(text: string, place: string): Template {
  const template = readTemplate(text, place)
  if (typeof template === 'string') throw new Error(`expected ${template}`)
  return template
}
