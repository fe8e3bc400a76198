// Parameters that more than one grant takes.
import { Type } from 'typebox'

/** What is asked for: scope (RFC 6749 §3.3) and audience (RFC 8707). */
export const TARGET_PARAMETERS = {
  scope: Type.Optional(
    Type.String({ description: 'Space-separated; at most what the client may ask for.' }),
  ),
  resource: Type.Optional(
    Type.Array(Type.String(), {
      description: 'The audiences that the token is for (RFC 8707); may repeat.',
    }),
  ),
}
