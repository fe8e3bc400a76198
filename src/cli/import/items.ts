// From a record to what the import takes: an account, or why there is none.
import type { ForeignUser, ImportItem } from '../../users/import/import-accounts.ts'
import type { Refusal } from '../../users/import/outcome.ts'
import {
  mapFields,
  RecordRefused,
  userOf,
  type FieldMap,
  type FoundUser,
} from './fields.ts'
import type { FileRecord } from './records.ts'
import type { System, SystemSettings } from './systems.ts'

/** How records are understood. */
export interface ItemSettings extends SystemSettings {
  readonly from: System
  /** Replaces what the system's fields mean. */
  readonly map: FieldMap | undefined
  /** What was done to a password before bcrypt, where the hash doesn't say so. */
  readonly bcryptPrehash: 'sha256-hex' | undefined
}

/** An item of an import, with what its record said. */
export interface Item extends ImportItem {
  readonly found: FoundUser | undefined
}

/** Makes the items. */
export function createToItem(settings: ItemSettings): (record: FileRecord) => Item {
  const { from, map, bcryptPrehash } = settings
  const fieldsOf = (value: unknown) =>
    map === undefined
      ? { ...mapFields(value, from.map), ...from.more?.(value, settings) }
      : mapFields(value, map)
  const refused = (line: number, refusal: Refusal): Item => ({
    line,
    user: { refusal },
    found: undefined,
  })
  return ({ line, value }) => {
    if (value === undefined) return refused(line, { reason: 'line_no_json' })
    try {
      const found = userOf(fieldsOf(value), map ?? from.map)
      const user = bcryptPrehash === undefined ? found.user : marked(found.user)
      return { line, user, found: { ...found, user } }
    } catch (error) {
      if (error instanceof RecordRefused) return refused(line, error.refusal)
      throw error
    }
  }
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
