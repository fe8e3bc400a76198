// From a script's reply to the domain's objects. The scripts vouch for the types; String and Number only tell
// the compiler.
import type { Family, FamilyRef } from '../ports/families.ts'
import type { Account, User } from '../ports/users.ts'

/** One of the words that a script may answer with; throws when it is none of them. */
export function oneOf<T extends string>(words: readonly T[], value: unknown): T {
  const found = words.find(word => word === value)
  if (found === undefined) throw new TypeError(`a script answered ${String(value)}`)
  return found
}

/** `family_reply` of shared.lua. */
export function familyOf({ userTag, sid }: FamilyRef, reply: unknown): Family {
  const [clientId, jkt, scope, audience, startedAt, idleUntil, endsAt] = listOf(
    JSON.parse(String(reply)),
  )
  return {
    userTag,
    sid,
    clientId: String(clientId),
    jkt: jkt === '' ? undefined : String(jkt),
    scope: String(scope),
    audience: strings(audience),
    startedAt: Number(startedAt),
    idleUntil: Number(idleUntil),
    endsAt: Number(endsAt),
  }
}

/** `user_reply` of shared.lua. */
export function userOf(reply: unknown): User {
  return userFrom(listOf(JSON.parse(String(reply))))
}

function userFrom([sub, name, scopes, roles]: readonly unknown[]): User {
  return {
    sub: String(sub),
    name: String(name),
    scopes: scopes === '' ? null : strings(scopes),
    roles: strings(roles),
  }
}

/** The fields of an account's hash; undefined when there is no account. */
export function accountOf(
  tag: string,
  fields: Readonly<Record<string, string>>,
): Account | undefined {
  // A removed account leaves its epoch for a while.
  if (fields['sub'] === undefined) return undefined
  return {
    ...userFrom([fields['sub'], fields['name'], fields['scopes'], fields['roles']]),
    tag,
    foldedName: String(fields['folded']),
    passwordHash: String(fields['hash']),
    disabled: fields['disabled'] === '1',
    epoch: Number(fields['epoch']),
    createdAt: Number(fields['created']),
  }
}

/** A reply that is a list; throws when it is none. */
export function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw new TypeError('a script answered no list')
  return reply
}

function strings(json: unknown): readonly string[] {
  const list: readonly string[] = JSON.parse(String(json))
  return list
}
