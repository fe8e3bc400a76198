// What a refusal means, and what an operator can do about it.
import { REASONS, type Reason } from '../../base/events/reasons.ts'
import type { LoginRefusal } from '../../stores/ports/logins/refusals.ts'

/** A refusal in words. */
export interface Explained {
  readonly meaning: string
  /** Empty: nothing is to be done. */
  readonly advice: string
}

const OF_LIMITS =
  'It passes by itself; throttle.logins in the configuration has the limits.'
const OF_ASSERTION =
  'See what the client signs: clients[].keys, clients[].jwksUri, clients[].assertionAudience.'
const OF_HASHING = 'See LatchkeyHashingSaturated in docs/runbook.md.'

const ADVICE: Partial<Record<Reason, string>> = {
  user_unknown:
    'Was another name meant? latchkey users list --search has those that begin alike.',
  password_wrong: 'latchkey users passwd sets another one.',
  password_repeated:
    'An app may keep an old password and try again by itself. latchkey users passwd sets another one.',
  user_disabled: 'latchkey users enable lets the user in again.',
  throttled_by_pair: 'latchkey users unlock forgets the failures.',
  throttled_by_network: OF_LIMITS,
  throttled_by_password: OF_LIMITS,
  address_limit: 'Many users behind one address? See throttle.perAddress.',
  client_limit: 'See throttle.perClient.',
  client_unknown: 'The app has the wrong client_id, or clients[] lacks it.',
  client_missing: 'The app sends no client_id.',
  client_secret_wrong: 'The app has the wrong secret; see clients[].secrets.',
  client_two_methods: 'The app is to send its secret in one way alone.',
  client_two_ids: 'The app is to send one client_id alone.',
  client_keys_unavailable: 'See clients[].jwksUri.',
  assertion_invalid: OF_ASSERTION,
  assertion_audience_wrong: OF_ASSERTION,
  assertion_not_allowed: OF_ASSERTION,
  grant_not_allowed: 'See clients[].grants.',
  scope_not_allowed: 'The app asks for a scope that clients[].scopes lacks.',
  scope_not_allowed_to_user: 'latchkey users access sets what the user may hold.',
  audience_not_allowed:
    'The app asks for a resource that clients[].audience does not have.',
  dpop_missing: 'The app sends no DPoP proof; see clients[].dpop.',
  dpop_stale: "The clock of the user's device is wrong, or the proof was kept too long.",
  hash_queue_full: OF_HASHING,
  hash_wait_too_long: OF_HASHING,
  overloaded: 'See http.maxInFlight.',
  store_unavailable: 'See LatchkeyStoreDown in docs/runbook.md.',
  directory_unavailable: 'See directories in the configuration, and whether it answers.',
  directory_name_taken: 'latchkey users rename gives the account here another name.',
  signer_unavailable: 'The token or directory with the signing keys does not answer.',
  fault: 'The log has the place. Please report it.',
}

/** Explains a refusal; one that a newer release has written has its code alone. */
export function explain({ reason }: Pick<LoginRefusal, 'reason'>): Explained {
  return {
    meaning: read(REASONS, reason) ?? `Refused: ${reason}.`,
    advice: read(ADVICE, reason) ?? '',
  }
}

function read(table: Partial<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
