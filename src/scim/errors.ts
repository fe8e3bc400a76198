// This folder knows SCIM (RFC 7643, RFC 7644) and nothing of HTTP or of a store: what a resource looks like,
// what a filter says, what a PATCH makes of a resource. Its errors are those of RFC 7644 §3.12, as refusals
// of the one class that the error handler knows. src/http/management/scim/ calls it for its routes.
import { OAuthError } from '../oauth/errors.ts'

const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error'

/** The `scimType` of a refusal (RFC 7644 §3.12, RFC 9865 §2.2). */
const SCIM_TYPES = [
  'invalidFilter',
  'tooMany',
  'uniqueness',
  'mutability',
  'invalidSyntax',
  'invalidPath',
  'noTarget',
  'invalidValue',
  'invalidVers',
  'invalidCursor',
  'expiredCursor',
  'invalidCount',
] as const

export type ScimType = (typeof SCIM_TYPES)[number]

/**
 * 400, or 409 where something is taken. `detail` is sent: it names the attribute, never a value.
 */
export function scimError(scimType: ScimType, detail: string): OAuthError {
  const status = scimType === 'uniqueness' ? 409 : 400
  return new OAuthError(status, scimType, {
    description: detail,
    reason: `http_${status}`,
  })
}

/** 404: no such resource. */
export function noResource(): OAuthError {
  return new OAuthError(404, 'not_found', {
    description: 'there is no such resource',
    reason: 'http_404',
  })
}

/** 412: the resource has another version than the request was made for (RFC 7644 §3.14). */
export function otherVersion(): OAuthError {
  return new OAuthError(412, 'invalidVers', {
    description: 'the resource has changed since that version',
    reason: 'http_412',
  })
}

/** The body of a refusal (RFC 7644 §3.12). */
export function errorBody({ status, code, message }: OAuthError): string {
  const scimType = SCIM_TYPES.find(type => type === code)
  return JSON.stringify({
    schemas: [ERROR],
    status: String(status),
    ...(scimType !== undefined && { scimType }),
    detail: message,
  })
}

/** 400: our own extension has no such attribute; whoever sends one takes it for kept. */
export function undeclared(
  extension: { readonly id: string; readonly attributes: readonly { name: string }[] },
  name: string,
): OAuthError {
  const known = extension.attributes.map(each => each.name).join(', ')
  const path = `${extension.id}:${name.slice(0, 64)}`
  return scimError('invalidValue', `${path} is not declared: expected one of ${known}`)
}
