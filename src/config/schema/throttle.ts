// What the configuration says of rate limits.
import { Type } from 'typebox'
import { duration, section } from './parts.ts'

/** `throttle` */
export const ThrottleSchema = section('Rate limits.', {
  perAddress: section(
    'Requests of one address to /token, and unauthenticated to /revoke and ' +
      '/introspect; not refreshes. ' +
      'Access tokens at /userinfo and /verify that are not ours count apart, at each server.',
    {
      max: Type.Integer({
        minimum: 1,
        default: 60,
        description: 'Requests per window.',
      }),
      window: duration('1m', 'The window.'),
    },
  ),
  perClient: section(
    'Requests of one client that authenticated, at each server; they are not counted per address.',
    {
      max: Type.Integer({
        minimum: 1,
        default: 600_000,
        description: 'Requests per window.',
      }),
      window: duration('1m', 'The window.'),
    },
  ),
  perSession: section(
    'Refreshes of one session, at each server; they are not counted per address. Bad proofs of a ' +
      "session (DPoP) at /userinfo and /verify count apart, with their sender's address.",
    {
      max: Type.Integer({
        minimum: 1,
        default: 60,
        description: 'Requests per window.',
      }),
      window: duration('1m', 'The window.'),
    },
  ),
  logins: section(
    'Failed logins. Each number is how many cost no delay; then a second, two, four …',
    {
      perName: Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 5,
        description:
          'Free failures of one name from one network (/24 or /64; twice as many from a /56, ' +
          'four times from a /48).',
      }),
      perNetwork: Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 100,
        description:
          'Free failures of one network (as above), whatever the names; users who have logged ' +
          'in from it before are counted separately.',
      }),
      perPassword: Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 20,
        description: 'Free failures of one password, whatever the names.',
      }),
      maxDelay: duration('15m', 'The longest delay.'),
      knownFor: duration(
        '30d',
        'For how long a network counts as known to a user after a login from it.',
      ),
    },
  ),
})
