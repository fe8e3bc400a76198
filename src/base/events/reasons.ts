// Every reason code, and what it says. They are shared by log lines, metrics and audit events; who calls the
// HTTP interface never sees one.

/**
 * Reason codes and their meaning. A code that isn't here can't be used, so that metrics stay bounded and
 * docs/audit.md knows them all.
 */
export const REASONS = {
  // Names and passwords.
  user_unknown: 'There is no account with this name, or it was removed.',
  password_wrong: "The password is not the account's.",
  user_disabled: 'The account is disabled.',
  password_repeated:
    'The same wrong password again within a minute: it counts once, and is not checked again.',
  user_expired: 'The external directory says that the account has expired.',
  user_locked: 'The external directory has locked the account after failures.',
  user_barred_now:
    'The external directory lets the account in only at other times or places.',
  password_expired: 'The external directory says that the password has expired.',
  password_must_change: 'The external directory requires a new password first.',
  user_unverified: 'Somebody signed up with an address, and has not verified it yet.',
  login_too_old:
    'The request needs the current password, or a login in the last 5 minutes.',
  password_malformed: 'The new password contains characters that no form can send.',
  password_too_short: 'The new password is shorter than passwords.minLength.',
  password_too_long: 'The new password is longer than 256 bytes.',
  password_is_name: 'The new password is a variation of the name.',
  password_breached: 'The new password is on the list of breached ones.',
  name_invalid: 'No account can have this name.',
  // Tickets.
  ticket_unknown:
    'There is no such ticket: it was used or replaced, or is not one of ours.',
  ticket_expired: 'The ticket has expired.',
  ticket_outdated:
    'Since the ticket was made, all sessions of the account were ended or its address was changed.',
  ticket_code_wrong: 'The code is wrong, or void after 5 wrong ones.',
  outbox_full: 'The greatest allowed number of messages is already waiting to be sent.',
  network_limit: 'Too many requests from one network to the routes that need no token.',
  // What users change of their own account.
  attribute_not_self: 'Users may not change this attribute themselves.',
  attribute_undeclared: 'No such attribute is declared.',
  attribute_invalid: 'The value does not fit the declaration of the attribute.',
  attribute_taken: 'Another account has the value.',
  attributes_too_large: 'The attributes of the account would be too large.',
  claims_too_large: 'Tokens could not carry the attributes.',
  changed_meanwhile: 'Somebody else changed the account at the same moment.',
  directory_owns:
    'The account belongs to an external directory, which alone can change it.',
  directory_name_taken:
    'The password is right in an external directory, but another account here has the name.',
  throttled_by_pair:
    'Too many failures of this name from this network (/24; or /64, /56 or /48).',
  throttled_by_network: 'Too many failures from this network, whatever the names.',
  throttled_by_password: 'Too many failures of this password, whatever the names.',
  address_limit: 'Too many requests from one address.',
  client_limit: 'Too many requests from one authenticated client.',
  session_limit: 'Too many refreshes in one session.',
  hash_queue_full: 'The queue for hashing was full.',
  hash_wait_too_long: 'The password could not be hashed within passwords.maxWait.',
  client_gone: 'The client disconnected before the answer.',
  overloaded: 'More requests than http.maxInFlight were in progress at once.',
  answer_too_late: 'The request was not answered within http.answerTimeout.',
  connections_full: 'As many connections as maxConnections of the listener were open.',
  connections_of_address_full:
    'An address had as many connections open as maxConnectionsPerAddress of the listener.',
  host_not_loopback:
    'Development mode was asked for by another name than one of this machine.',
  pipelined_too_many:
    'A connection sent too many requests at once, without waiting for earlier ' +
    'answers.',
  write_stalled:
    'The client read nothing of an answer for http.requestTimeout and http.answerTimeout.',
  // Sessions and their refresh tokens.
  token_malformed: 'The token is not one of ours: its form or its tag is wrong.',
  token_reused:
    'A refresh token was used again after its successor: the session has ended.',
  superseded: 'A newer refresh token of the session is the current one.',
  family_unknown: 'There is no such session: it expired long ago, or the store lost it.',
  family_ended:
    'The session was ended: by its client, by an operator, or because a refresh token was reused.',
  family_idle: 'The session was not refreshed within tokens.refreshIdle.',
  family_expired: 'The session is older than tokens.refreshAbsolute.',
  client_mismatch: 'The token was issued to another client.',
  key_mismatch:
    'The session is bound to another key (DPoP) than the one that was proved.',
  sessions_ended: 'All sessions of the user have been ended since then.',
  // What may be asked for.
  malformed_request: 'The request is malformed, or lacks a parameter.',
  grant_unknown: 'There is no such grant type.',
  grant_not_allowed: 'The client may not use this grant type.',
  scope_malformed: 'The scope does not follow the grammar of RFC 6749.',
  scope_not_allowed: 'The client may not ask for this scope.',
  scope_not_allowed_to_user:
    'The user may have none of the scopes that the client asks for.',
  scope_wider: 'More scope is asked for than was granted at login.',
  scope_insufficient: 'The access token lacks a scope that is needed here.',
  audience_not_allowed: 'The client may not ask for this audience.',
  audience_wider: 'Another audience is asked for than was granted at login.',
  audience_withdrawn: 'The client has lost every audience that was granted at login.',
  audience_wrong: 'The access token is not for this audience.',
  own_account:
    'Operators may not disable or remove their own account, change its scopes or groups, or get ' +
    'a ticket for it.',
  operator_account:
    'A ticket for an operator is only sent to their own address, and never ' +
    'returned to somebody else.',
  // Clients.
  client_id_is_sub:
    'A user has the id of this client as `sub`, so the client gets no token of ' +
    'its own.',
  client_missing: 'The request names no client.',
  client_two_methods: 'The client authenticates in two ways at once.',
  client_two_ids: 'The client_id is another one than the client that authenticates.',
  client_unknown: 'There is no client of this id.',
  client_secret_wrong: "The client's secret is wrong, or missing.",
  client_public: 'A client without credentials may not do this.',
  client_keys_unavailable: "The client's keys could not be fetched from its jwksUri.",
  assertion_type_unknown: "The assertion's type is missing or unknown.",
  assertion_malformed:
    "The client's assertion is not a JWT, or not of the client that is named.",
  assertion_not_allowed:
    'The client has no keys: it may not authenticate by an assertion.',
  assertion_invalid: "The assertion's signature, issuer, subject or times are wrong.",
  assertion_audience_wrong: 'The assertion is for another audience.',
  assertion_without_jti: 'The assertion has no id.',
  assertion_too_long_lived: 'The assertion is valid for longer than allowed.',
  assertion_replayed: 'The assertion was used before.',
  // Access tokens.
  active: 'The token is active.',
  token_missing: 'The request carries no access token.',
  token_invalid:
    'The token is malformed or expired, or its signature, issuer or type is wrong.',
  token_may_not_introspect:
    'The access token was issued to a client that may not introspect by token.',
  token_foreign: 'The token does not belong to this client.',
  token_revoked: 'The token was revoked.',
  token_without_user: "The token is a client's own, but the request is about a user.",
  token_bound: 'The token is bound to a key and was sent as a bearer token.',
  token_other_key: 'The token is bound to another key than the one that was proved.',
  key_unknown: 'The token names a key that is not in the ring.',
  // DPoP.
  dpop_missing: 'A proof of possession is needed, and there is none.',
  dpop_malformed: 'The proof is malformed, or its signature is wrong.',
  dpop_stale: 'The proof is too old, or from the future.',
  dpop_replayed: 'The proof was used before.',
  dpop_nonce_wanted:
    'The proof must carry a nonce of this server; the answer hands one out.',
  dpop_other_method: 'The proof is for another method.',
  dpop_other_url: 'The proof is for another URL.',
  dpop_other_token: 'The proof is for another access token.',
  dpop_target_unknown:
    'It is unknown which request the proof is for: the proxy that asks /verify, ' +
    'or management.url, has to say so.',
  // Faults: never a verdict.
  directory_unavailable: 'An external directory of users did not answer.',
  store_unavailable: 'The store did not answer.',
  secret_elsewhere:
    'The refresh token was made with a secret that another server has but this one lacks.',
  token_newer:
    'The refresh token has the form of a newer release, which runs at the same time.',
  status_list_stale:
    'The status lists are no longer valid, because the store could not be read ' +
    'for too long.',
  signer_unavailable: 'The token or directory with the signing keys did not answer.',
  fault: 'A fault of ours; the log has its place.',
} as const satisfies Readonly<Record<string, string>>

/** A reason code; `http_…` with the status for what is refused before any rule of OAuth is asked. */
export type Reason = keyof typeof REASONS | `http_${number}`

/** The reasons for which a connection is refused or cut off. */
export const CONNECTION_REASONS = [
  'connections_full',
  'connections_of_address_full',
  'pipelined_too_many',
  'write_stalled',
] as const satisfies readonly Reason[]

/** One of them. */
export type ConnectionReason = (typeof CONNECTION_REASONS)[number]
