// What the audit log calls each change of an account and of a group.

/** What was done to an account, or to the sessions of one. */
export type UserChange =
  | 'added'
  | 'renamed'
  | 'password'
  | 'password_change_required'
  | 'disabled'
  | 'enabled'
  | 'access'
  | 'attributes'
  | 'sessions_ended'
  | 'unlocked'
  | 'adopted'
  | 'invited'
  | 'recovery_ticket'
  | 'verification_ticket'
  | 'deletion_begun'
  | 'deletion_cancelled'
  | 'removed'

/** What was done to a group, or to who belongs to it. */
export type GroupChange = 'added' | 'changed' | 'removed'
