// Reads what a directory sends of somebody, and names their subject here. It comes from outside, so each
// member is checked.
import { hash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { uuidOf } from '../../base/ids.ts'
import type { ExternalSettings, Identity } from './external.ts'

const Given = Type.Object({
  id: Type.Union([
    Type.String({ minLength: 1, maxLength: 255 }),
    Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
  ]),
  name: Type.String({ minLength: 1, maxLength: 1024 }),
  disabled: Type.Optional(Type.Boolean()),
  email: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  email_verified: Type.Optional(Type.Boolean()),
  roles: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
  attributes: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})

const validator = Compile(Given)

/** A stable id may be a `sub` as it is. */
const SUB = /^[\x21-\x7E]{1,255}$/

/**
 * The `sub` of a shadow: a UUID of version 8 (RFC 9562 §5.8) over both, or the id itself, where that is
 * wanted and it is one that a `sub` may be. Behind it the one that it was given where a client of that id has
 * come or gone since.
 *
 * @param isClient whether a client has that id: tokens of its own have it as `sub`, and nobody else's may
 */
export function subsOfShadow(
  source: ExternalSettings,
  externalId: string,
  isClient: (id: string) => boolean,
): readonly [sub: string, other?: string] {
  const named = JSON.stringify(['latchkey directory', source.name, externalId])
  const own = uuidOf(hash('sha256', named, 'buffer'))
  if (source.sub !== 'external' || !SUB.test(externalId)) return [own]
  return isClient(externalId) ? [own, externalId] : [externalId, own]
}

/**
 * Reads an identity as JSON has it: `id`, `name`, and where the directory says so `disabled`, `email`,
 * `email_verified`, `roles`, `attributes`. Undefined where a member is missing or of another type.
 */
export function readIdentity(value: unknown): Identity | undefined {
  return validator.Check(value) ? identityOf(value) : undefined
}

/**
 * Reads what is said of somebody between logins. What has no member stays as it is here: an answer may be
 * shorter than that to a login. `attributes` is whole where it is there.
 */
export function readKnownIdentity(value: unknown): Identity | undefined {
  if (!validator.Check(value)) return undefined
  const members = new Set(Object.keys(value))
  const memberOf = (attribute: string) =>
    ['email', 'email_verified'].includes(attribute) ? attribute : 'attributes'
  return {
    ...identityOf(value),
    keeps: attribute => !members.has(memberOf(attribute)),
  }
}

function identityOf(given: Static<typeof Given>): Identity {
  const { id, name, disabled = false, email, roles, attributes = {} } = given
  return {
    externalId: String(id),
    name,
    disabled,
    attributes: { ...(typeof email === 'string' && { email }), ...attributes },
    emailVerified: given.email_verified,
    roles,
  }
}
