// What /token says of itself in the OpenAPI document, as the grants say it.
import { Type, type TSchema } from 'typebox'
import { GRANTS } from '../../grants/all.ts'
import type { GrantDescription } from '../../grants/descriptor.ts'
import { formBody } from './schemas.ts'

/** The form that /token takes, whichever grant it is for. */
export const TokenBody = formBody({
  grant_type: Type.Optional(
    Type.String({ description: GRANTS.map(({ type }) => type).join(' or ') }),
  ),
  ...parametersOf(GRANTS),
})

/** RFC 6749 §5.1. */
export const TokenResponse = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Union([Type.Literal('Bearer'), Type.Literal('DPoP')]),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    refresh_token: Type.Optional(Type.String()),
    scope: Type.Optional(Type.String()),
  },
  { title: 'TokenResponse' },
)

/** The parameters of all grants in one form: each says which grants take it, unless all do. */
function parametersOf(grants: readonly GrantDescription[]): Record<string, TSchema> {
  const all = Object.assign({}, ...grants.map(({ parameters }) => parameters))
  return Object.fromEntries(
    Object.keys(all).map(name => {
      const takers = grants.filter(({ parameters }) => name in parameters)
      const only =
        takers.length === grants.length
          ? ''
          : ` With grant_type ${takers.map(({ type }) => type).join(' or ')} only.`
      const schema = { ...all[name], description: `${all[name].description}${only}` }
      return [name, Type.Optional(schema)]
    }),
  )
}
