// From a record to what the import takes: an account, or why there is none.
import type { ForeignUser, ImportItem } from '../../users/import/import-accounts.ts'
import type { Refusal } from '../../users/import/outcome.ts'
import {
  createAttributeReader,
  isAttributeColumn,
  type AttributeOrder,
  type ReadAttributes,
} from './attributes/reader.ts'
import {
  isRecord,
  mapFields,
  RecordRefused,
  userOf,
  type Fields,
  type FoundUser,
} from './fields.ts'
import type { FileRecord } from './records.ts'
import type { SystemSettings } from './systems.ts'

/** How records are understood. */
export interface ItemSettings
  extends AttributeOrder, Omit<SystemSettings, 'isAttribute'> {
  /** What was done to a password before bcrypt, where the hash doesn't say so. */
  readonly bcryptPrehash: 'sha256-hex' | undefined
}

/** What a record said, and what of it has no place here. */
export type Found = FoundUser & Pick<ReadAttributes, 'notTaken'>

/** An item of an import, with what its record said. */
export interface Item extends ImportItem {
  readonly found: Found | undefined
}

/** Makes the items. */
export function createToItem(settings: ItemSettings): (record: FileRecord) => Item {
  const { from, map, bcryptPrehash, format } = settings
  // In a line of JSON they stand in `attributes`, unless a map leads elsewhere.
  const beside = format === 'csv' ? settings : { ...settings, declarations: new Map() }
  const more = {
    ...settings,
    isAttribute: (member: string) => isAttributeColumn(member, beside),
  }
  const readAttributes = createAttributeReader(settings)
  const accountOf = (value: unknown): Fields =>
    map === undefined
      ? { ...mapFields(value, from.map), ...from.more?.(value, more) }
      : mapFields(value, map)
  const refused = (line: number, refusal: Refusal): Item => ({
    line,
    user: { refusal },
    found: undefined,
  })
  return ({ line, value }) => {
    if (value === undefined) return refused(line, { reason: 'line_no_json' })
    try {
      const account = accountOf(value)
      const read = readAttributes(value)
      const found = userOf(withRead(account, read, settings), map ?? from.map)
      const user = bcryptPrehash === undefined ? found.user : marked(found.user)
      return { line, user, found: { ...found, user, notTaken: read.notTaken } }
    } catch (error) {
      if (error instanceof RecordRefused) return refused(line, error.refusal)
      throw error
    }
  }
}

/** Adds the attributes that were read, and says of the address no more than the system said of that one. */
function withRead(
  account: Fields,
  { attributes: read }: ReadAttributes,
  { from, map, attributeMap }: ItemSettings,
): Fields {
  const { attributes: own, emailVerified, ...fields } = account
  const attributes = own === undefined || isRecord(own) ? { ...own, ...read } : own
  const isOurs = map !== undefined || from.onlyFields === true
  const isTheirAddress =
    Object.hasOwn(read, 'email') && !Object.hasOwn(attributeMap, 'email')
  return isOurs || isTheirAddress
    ? { ...fields, attributes, emailVerified }
    : { ...fields, attributes }
}

/** Puts Django's mark for the same thing before a bcrypt hash. */
function marked(user: ForeignUser): ForeignUser {
  if (!('passwordHash' in user.secret)) return user
  const passwordHash = user.secret.passwordHash.replace(
    /^(?=\$2[aby]\$)/,
    'bcrypt_sha256$',
  )
  return { ...user, secret: { passwordHash } }
}
