// What the configuration says of SCIM (RFC 7643, RFC 7644), by which other systems keep accounts here.
import { Type } from 'typebox'
import { duration, section, strict } from '../parts.ts'

/** A token that never ends, for systems that know nothing else. */
const StaticToken = Type.Object(
  {
    name: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
      expected: 'up to 64 letters, digits, dots, _ and -',
      description: 'What the audit log calls its bearer: `token:` and this name.',
    }),
    hashes: Type.Array(
      Type.String({
        pattern: '^sha256:[A-Za-z0-9_-]{43}$',
        expected:
          'the sha256: line that `latchkey clients token` prints beside a new token',
      }),
      {
        minItems: 1,
        maxItems: 2,
        description: 'Hashes of the tokens. With two, you can replace one without a gap.',
      },
    ),
    readOnly: Type.Boolean({
      default: false,
      description:
        'Whether it may only read, like the scope `scim.read` instead of `scim`.',
    }),
  },
  strict,
)

/** `scim` */
export const ScimSchema = section(
  'SCIM 2.0, by which other systems keep accounts, at `/scim/v2` of the management listener.',
  {
    passwords: Type.Boolean({
      default: true,
      description: 'Whether passwords may be set over SCIM; they can never be read.',
    }),
    profile: Type.Union([Type.Literal('lenient'), Type.Literal('strict')], {
      default: 'lenient',
      description:
        'Whether deviations from the RFCs that Okta, Entra ID and scripts send (no ' +
        '`schemas` in a PATCH, `"True"` for true, an operation in capitals) are ' +
        'accepted or refused.',
    }),
    tokens: Type.Array(StaticToken, {
      default: [],
      description:
        'Bearer tokens for systems that cannot ask for tokens (Okta, Entra ID). Removing one ' +
        'here ends it.',
    }),
    perClient: section('Requests of one caller that may ask, at each server.', {
      max: Type.Integer({
        minimum: 1,
        default: 25,
        description: 'Requests per window.',
      }),
      window: duration('1s', 'The window.'),
    }),
    perAddress: section(
      'Requests of one address whose token is none, at each server; others count per caller.',
      {
        max: Type.Integer({
          minimum: 1,
          default: 60,
          description: 'Requests per window.',
        }),
        window: duration('1m', 'The window.'),
      },
    ),
  },
)
