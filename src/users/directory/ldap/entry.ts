// Reads an entry of an LDAP directory: who it is, and what is known of them.
import type { Entry } from 'ldapts'
import type { Declaration, Declarations } from '../../attributes/declarations.ts'
import type { Identity } from '../external.ts'

/** Which attributes say what. */
export interface EntryMap {
  /** Stays when everything else changes: `entryUUID`, `objectGUID`, `ipaUniqueID`. */
  readonly idAttribute: string
  readonly nameAttribute: string
  /** Attributes here → attributes there. */
  readonly attributes: Readonly<Record<string, string>>
  /** Whether its e-mail addresses are known to be its users'. */
  readonly emailVerified: boolean
}

/** What says, in one product or another, that nobody may log in by an entry. */
export const STATE_ATTRIBUTES = [
  'userAccountControl',
  'nsAccountLock',
  'pwdAccountLockedTime',
] as const

/** Active Directory's ADS_UF_ACCOUNTDISABLE. */
const ACCOUNT_DISABLED = 2
/** What OpenLDAP's password policy writes when an operator locks somebody out for good. */
const LOCKED_FOR_GOOD = '000001010000Z'
const GUID_BYTES = 16
const MAX_ID = 255

/** Reads who it is. A text: what is wrong with the entry, for the log. */
export function readEntry(
  entry: Entry,
  map: EntryMap,
  declarations: Declarations,
): Identity | string {
  const externalId = idOf(entry, map)
  if (externalId === undefined) {
    return `an entry shows no idAttribute ${map.idAttribute}`
  }
  const [name] = textsOf(entry, map.nameAttribute)
  if (name === undefined) return `an entry shows no nameAttribute ${map.nameAttribute}`
  const attributes = Object.entries(map.attributes).flatMap(([here, there]) => {
    const values = textsOf(entry, there)
    const declaration = declarations.get(here)
    return declaration === undefined || values.length === 0
      ? []
      : [[here, valueOf(values, declaration)]]
  })
  return {
    externalId,
    name,
    disabled: isDisabled(entry),
    attributes: Object.fromEntries(attributes),
    emailVerified: map.emailVerified,
  }
}

/** Whether the entry itself says that nobody may log in by it. */
export function isDisabled(entry: Entry): boolean {
  const [control, lock, lockedAt] = STATE_ATTRIBUTES.map(each => textsOf(entry, each)[0])
  return (
    Math.floor(Number(control ?? 0) / ACCOUNT_DISABLED) % 2 === 1 ||
    lock?.toUpperCase() === 'TRUE' ||
    lockedAt === LOCKED_FOR_GOOD
  )
}

/** The values of an attribute, without those that are no text. Names of attributes have no case. */
export function textsOf(entry: Entry, attribute: string): string[] {
  return valuesOf(entry, attribute).filter(value => typeof value === 'string')
}

function valuesOf(entry: Entry, attribute: string): (Buffer | string)[] {
  const wanted = attribute.toLowerCase()
  return Object.entries(entry)
    .filter(([name]) => name.toLowerCase() === wanted)
    .flatMap(([, values]) => values)
}

function idOf(entry: Entry, { idAttribute }: EntryMap): string | undefined {
  const [value, second] = valuesOf(entry, idAttribute)
  if (value === undefined || value.length === 0 || second !== undefined) return undefined
  const id = isGuid(idAttribute) && Buffer.isBuffer(value) ? guidOf(value) : value
  return typeof id === 'string' && id.length <= MAX_ID ? id : undefined
}

/** Whether ids are Active Directory's, which are bytes. */
function isGuid(idAttribute: string): boolean {
  return idAttribute.toLowerCase() === 'objectguid'
}

/** The value of a filter that finds an id; undefined: no entry can have it. */
export function idValue(id: string, idAttribute: string): Buffer | string | undefined {
  if (!isGuid(idAttribute)) return id
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex')
  return bytes.length === GUID_BYTES ? swapped(bytes) : undefined
}

/** As Active Directory's tools write it. */
function guidOf(bytes: Buffer): string | undefined {
  if (bytes.length !== GUID_BYTES) return undefined
  const hex = swapped(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The first three parts have their lowest byte first ([MS-DTYP] §2.3.4.2). */
function swapped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy.subarray(0, 4).reverse()
  copy.subarray(4, 6).reverse()
  copy.subarray(6, 8).reverse()
  return copy
}

/** All is text there. What is declared otherwise and doesn't read like it stays text, and is left out. */
function valueOf(values: readonly string[], { type, list }: Declaration): unknown {
  const read = values.map(value => {
    if (type === 'integer' && /^-?\d{1,16}$/.test(value)) return Number(value)
    if (type === 'boolean' && /^(?:true|false)$/i.test(value)) return /^t/i.test(value)
    return value
  })
  return list ? read : read[0]
}
