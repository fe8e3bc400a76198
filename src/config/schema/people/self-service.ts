// What the configuration says of what users do for themselves, through apps.
import { Type } from 'typebox'
import { duration, optionalDuration, section } from '../parts.ts'

const limit = (max: number, description: string) =>
  section(description, {
    max: Type.Integer({ minimum: 1, default: max, description: 'Requests per window.' }),
    window: duration('1h', 'The window.'),
  })

/** `selfService` */
export const SelfServiceSchema = section(
  'What users may do for themselves, through your apps (docs/self-service.md); ' +
    'nothing, by default.',
  {
    account: Type.Boolean({
      default: false,
      description:
        'Serves `/account` to users with an access token for the issuer, or ' +
        'with the scope `account`: there they can see and change what is stored' +
        ' about them, change their password, end sessions and delete their ' +
        'account.',
    }),
    registration: Type.Union(
      [Type.Literal('closed'), Type.Literal('invite'), Type.Literal('open')],
      {
        default: 'closed',
        description:
          'Who may sign up with `POST /account`: nobody, people with an invitation ' +
          'ticket (`latchkey users invite`), or anybody.',
      },
    ),
    verify: Type.Union([Type.Literal('none'), Type.Literal('email')], {
      default: 'email',
      description:
        'With `email`, a new account works only once its owner has proved that ' +
        'they can read mail sent to its address; the same goes for a new address. ' +
        'That needs `notify`.',
    }),
    recovery: Type.Boolean({
      default: false,
      description:
        'Serves `/account/recovery`: a ticket for a new password goes to the ' +
        'address of the account. That needs `notify`.',
    }),
    codes: Type.Boolean({
      default: false,
      description: 'Whether each ticket also has a code of 8 digits.',
    }),
    ticketTtl: duration('30m', 'How long a ticket is valid; 24h at most.'),
    deletion: section('What `DELETE /account` does.', {
      grace: optionalDuration(
        'How long users can change their mind about a deletion: their sessions end at once, and ' +
          'a login within that time restores the account; after that it is erased. ' +
          'Default: it is ' +
          'erased at once.',
      ),
    }),
    perNetwork: limit(
      30,
      'Requests of one network (/24 or /64) to the routes that need no token; ' +
        'logins count by themselves.',
    ),
    perTarget: limit(
      3,
      'What is sent because of requests of one network about one name or address, ' +
        'for each purpose by ' +
        'itself; more are answered alike, and nothing is sent.',
    ),
    perTargetInAll: limit(
      10,
      'The same of all networks together. A recovery from a network in which its ' +
        'user logged in before ' +
        '(`throttle.logins.knownFor`) is not one of them, so that nobody else keeps them from it.',
    ),
  },
)
