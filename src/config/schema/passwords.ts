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
        'Hashes at a time; auto: what cores and memory allow, leaving one core to everything else ' +
        'under a CPU quota, on SQLite, and on other systems than Linux.',
    },
  ),
  memoryShare: Type.Integer({
    minimum: 1,
    maximum: 90,
    default: 50,
    description:
      "How much of the memory that the process may use (the cgroup's limit) hashing may take, " +
      'in percent; 144 MiB are left to everything else in any case.',
  }),
  queue: Type.Integer({
    minimum: 0,
    maximum: 100_000,
    default: 64,
    description: 'Logins that may wait for a hash; more are answered 503.',
  }),
  maxWait: duration(
    '1500ms',
    'How long a login may wait for a hash; who would wait longer is answered 503 at once.',
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
      'Whether the most common passwords are refused, in small letters or capitals: a list of 8,354 ' +
      'comes along.',
  }),
  blocklist: Type.Optional(
    Type.String({
      minLength: 1,
      expected: 'a file',
      description:
        'Breached passwords, which nobody may set: a sorted SHA-1 list as published, or a ' +
        'filter made by `latchkey passwords blocklist build`.',
    }),
  ),
})
