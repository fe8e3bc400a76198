// What the configuration says of passwords.
import { Type } from 'typebox'
import { duration, section } from './parts.ts'

/** `passwords` */
export const PasswordsSchema = section('Password hashing (argon2id) and rules.', {
  memoryKiB: Type.Integer({
    minimum: 8,
    maximum: 4_194_304,
    default: 19_456,
    description: 'Memory of one hash, in KiB.',
  }),
  passes: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 2,
    description: 'Passes over the memory.',
  }),
  parallelism: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 1,
    description: 'Lanes of one hash.',
  }),
  concurrency: Type.Union(
    [Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 128 })],
    {
      default: 'auto',
      expected: 'auto or a whole number from 1 to 128',
      description:
        'How many hashes run at a time; auto: as many as cores and memory allow, keeping one ' +
        'core free under a CPU quota, on SQLite, and on systems other than Linux.',
    },
  ),
  memoryShare: Type.Integer({
    minimum: 1,
    maximum: 90,
    default: 50,
    description:
      "How much of the memory that the process may use (the cgroup's limit) hashing may take, " +
      'in percent; at least 144 MiB are always left for everything else.',
  }),
  queue: Type.Integer({
    minimum: 0,
    maximum: 100_000,
    default: 64,
    description: 'How many logins may wait for a hash; more are answered with 503.',
  }),
  maxWait: duration(
    '1500ms',
    'How long a login may wait for a hash; a login that would wait longer is answered with 503 ' +
      'at once.',
  ),
  minLength: Type.Integer({
    minimum: 8,
    maximum: 256,
    default: 15,
    description: 'Shortest password that may be set, in characters.',
  }),
  refuseCommon: Type.Boolean({
    default: true,
    description:
      'Whether the most common passwords are refused, whatever their case. A ' +
      'list of 8,354 is built in.',
  }),
  blocklist: Type.Optional(
    Type.String({
      minLength: 1,
      expected: 'a file',
      description:
        'Breached passwords that nobody may set: a sorted SHA-1 list as published, ' +
        'or a filter made by `latchkey passwords blocklist build`.',
    }),
  ),
})
