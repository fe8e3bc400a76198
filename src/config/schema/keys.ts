// What the configuration says of the signing keys.
import { Type } from 'typebox'
import { duration, section, strict } from './parts.ts'

/** `keys` */
export const KeysSchema = section('The key ring.', {
  rotateEvery: duration('90d', 'How long a key signs.'),
  publishAhead: duration(
    '7d',
    'The shortest time for which a key is published before it signs. It must be' +
      ' longer than any verifier keeps its copy.',
  ),
  allowShortPublishAhead: Type.Boolean({
    default: false,
    description:
      'Allows a publishAhead under 48 h, if you know that every verifier fetches more often.',
  }),
  directory: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Takes the keys from the PEM and JWK files of this folder, such as a mounted Secret, ' +
        'instead of making them.',
    }),
  ),
  pkcs11: Type.Optional(
    Type.Object(
      {
        module: Type.String({
          minLength: 1,
          description: 'The PKCS#11 library, such as /usr/lib/softhsm/libsofthsm2.so.',
        }),
        token: Type.String({ minLength: 1, description: 'The label of the token.' }),
        pin: Type.String({ minLength: 1, description: 'The user PIN of the token.' }),
        driver: Type.String({
          minLength: 1,
          default: 'pkcs11js',
          description:
            'The npm package pkcs11js, or the path of its index.js where it is installed apart.',
        }),
      },
      {
        ...strict,
        description:
          'Signs with the keys of a PKCS#11 token, whose private halves never leave it.',
      },
    ),
  ),
})
