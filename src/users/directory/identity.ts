// Reads what a directory sends of somebody. It comes from outside, so each member is checked.
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Identity } from './external.ts'

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

/** Whether a directory's id may be a `sub`. */
export function isSafeSub(externalId: string): boolean {
  return SUB.test(externalId)
}

/**
 * Reads an identity as JSON has it: `id`, `name`, and where the directory says so `disabled`, `email`,
 * `email_verified`, `roles`, `attributes`. Undefined where a member is missing or of another type.
 */
export function readIdentity(value: unknown): Identity | undefined {
  return validator.Check(value) ? identityOf(value) : undefined
}

function identityOf(given: Static<typeof Given>): Identity {
  const { id, name, disabled = false, email, roles, attributes = {} } = given
  return {
    externalId: String(id),
    name,
    disabled,
    attributes: { ...(typeof email === 'string' && { email }), ...attributes },
    emailVerified: given.email_verified ?? false,
    roles,
  }
}
