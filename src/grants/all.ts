// Every grant that there is. This list is the only one: a new grant is a file in this folder and a line here.
import { Type } from 'typebox'
import { clientCredentialsGrant } from './client-credentials.ts'
import type { GrantDescriptor, GrantServices } from './descriptor.ts'
import type { Grant } from './grant.ts'
import { passwordGrant } from './password.ts'
import { refreshTokenGrant } from './refresh-token.ts'

/** All grants, in the order in which documents name them. */
export const GRANTS: readonly GrantDescriptor[] = [
  passwordGrant,
  refreshTokenGrant,
  clientCredentialsGrant,
]

/** Parameters that may stand in a form more than once. */
export const REPEATABLE_PARAMETERS: readonly string[] = [
  ...new Set(
    GRANTS.flatMap(({ parameters }) =>
      Object.keys(parameters).filter(name => mayRepeat(parameters[name])),
    ),
  ),
]

/** A grant that this server offers. */
export interface OfferedGrant {
  readonly descriptor: GrantDescriptor
  readonly exchange: Grant
}

/** Makes all grants, by their grant_type. */
export function createGrants(services: GrantServices): ReadonlyMap<string, OfferedGrant> {
  return new Map(
    GRANTS.map(descriptor => [
      descriptor.type,
      { descriptor, exchange: descriptor.create(services) },
    ]),
  )
}

function mayRepeat(schema: unknown): boolean {
  return Type.IsArray(schema)
}
