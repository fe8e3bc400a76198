// Every route of SCIM, with an example of each path.
import { USER } from '../../../support/scim.ts'

/** What scim.read lets in. */
export const READS = [
  ['GET', '/openapi.json'],
  ['GET', '/ServiceProviderConfig'],
  ['GET', '/ResourceTypes'],
  ['GET', '/ResourceTypes/User'],
  ['GET', '/Schemas'],
  ['GET', `/Schemas/${USER}`],
  ['GET', '/Users'],
  ['GET', '/Users/x'],
  ['GET', '/Groups'],
  ['GET', '/Groups/x'],
  ['GET', '/Me'],
  ['POST', '/Users/.search'],
  ['POST', '/Groups/.search'],
  ['POST', '/.search'],
] as const

/** What needs scim. */
export const WRITES = [
  ['POST', '/Users'],
  ['PUT', '/Users/x'],
  ['PATCH', '/Users/x'],
  ['DELETE', '/Users/x'],
  ['POST', '/Groups'],
  ['PUT', '/Groups/x'],
  ['PATCH', '/Groups/x'],
  ['DELETE', '/Groups/x'],
] as const
