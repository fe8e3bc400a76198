// From rows to the domain's objects. SQLite's STRICT tables vouch for the types; String and Number only tell
// the compiler.
import type { Family, FamilyRef } from '../../ports/families.ts'
import type { User } from '../../ports/subjects.ts'
import {
  readHolder,
  readUser,
  SUBJECT_COLUMNS,
  type Holder,
} from '../people/account-columns.ts'
import type { FamilyState } from '../sessions/rules.ts'
import { strings, type Row } from './row.ts'

/** A family with its user, as the rules and the answers need them. */
export interface FoundFamily {
  readonly family: Family
  readonly state: FamilyState
  readonly user: User
  readonly holder: Holder
}

/** The columns of `foundFamily`, from `families f JOIN users u`. */
export const FOUND_COLUMNS = `
  f.user_tag, f.sid, f.client_id, f.jkt, f.scope, f.audience, f.epoch AS family_epoch,
  f.prev, f.cur, f.cur_at, f.started_at, f.idle_until, f.ends_at, f.ended, f.late_count,
  ${SUBJECT_COLUMNS}`

export function foundFamily(row: Row): FoundFamily {
  return {
    family: familyOf(row),
    state: stateOf(row),
    user: readUser(row),
    holder: readHolder(row),
  }
}

function familyOf(row: Row): Family {
  return {
    ...refOf(row),
    clientId: String(row['client_id']),
    jkt: row['jkt'] === null ? undefined : String(row['jkt']),
    scope: String(row['scope']),
    audience: strings(row['audience']),
    startedAt: Number(row['started_at']),
    idleUntil: Number(row['idle_until']),
    endsAt: Number(row['ends_at']),
  }
}

function refOf(row: Row): FamilyRef {
  return { userTag: String(row['user_tag']), sid: String(row['sid']) }
}

function stateOf(row: Row): FamilyState {
  return {
    clientId: String(row['client_id']),
    jkt: row['jkt'] === null ? undefined : String(row['jkt']),
    epoch: Number(row['family_epoch']),
    prev: Number(row['prev']),
    cur: Number(row['cur']),
    curAt: Number(row['cur_at']),
    idleUntil: Number(row['idle_until']),
    endsAt: Number(row['ends_at']),
    ended: row['ended'] === 1,
    lateCount: Number(row['late_count']),
  }
}
