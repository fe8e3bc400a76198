// From a script's reply to the domain's objects. The scripts vouch for the types; String and Number only tell
// the compiler.
import type { Family, FamilyRef } from '../ports/families.ts'

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

/** A reply that is a list; throws when it is none. */
export function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw new TypeError('a script answered no list')
  return reply
}

/** A list of texts that is stored as JSON. */
export function strings(json: unknown): readonly string[] {
  const list: readonly string[] = JSON.parse(String(json))
  return list
}
