// What the configuration says of the store.
import { Type } from 'typebox'
import { duration, strict } from './parts.ts'

const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, description }))

/** `store.accounts` */
const AccountsSchema = Type.Object(
  {
    url: Type.String({
      pattern: '^postgres(ql)?://[^\\s#?]+$',
      expected: 'postgres://USER@HOST/DATABASE',
      description:
        'The database, reached over TLS; its tables are in the schema `latchkey`.',
    }),
    password: text(
      'Its password, instead of that in `url`; here nothing needs to be percent-encoded.',
    ),
    passwordFile: text(
      'A file that holds it, read again at every connection, so that it can change ' +
        'without a restart.',
    ),
    caFile: text(
      'PEM file of the certificate authorities that are trusted for the server; without it, ' +
        'those that Node trusts.',
    ),
    plaintext: Type.Boolean({
      default: false,
      description:
        'Allows connections without TLS to a database that is not on loopback. Names and hashes ' +
        'can then be read on the way.',
    }),
    connections: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 8,
      description: 'How many connections each server may hold.',
    }),
    timeout: duration(
      '2s',
      'How long a statement or a new connection may take; after that the answer is 503.',
    ),
  },
  {
    ...strict,
    description:
      'The PostgreSQL that has the accounts; sessions, keys and all else stay in ' +
      '`store.url`. Without it ' +
      'accounts are there, too.',
  },
)

/** `store` */
export const StoreSchema = Type.Object(
  {
    url: Type.String({
      pattern: '^(sqlite:|rediss?(\\+(sentinel|cluster))?://)[\\s\\S]',
      expected:
        'sqlite:FILE, redis://…, rediss://…, redis+sentinel://… or redis+cluster://…',
      description:
        'Where accounts (without `store.accounts`), families, revocations and keys live.',
    }),
    username: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The ACL user, instead of the one in the URL.',
      }),
    ),
    password: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'The password, instead of the one in the URL; here nothing needs to be percent-encoded.',
      }),
    ),
    passwordFile: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'A file that holds the password, instead of store.password. It is read again at every ' +
          'connection, so that the password can change without a restart.',
      }),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          caFile: Type.Optional(
            Type.String({
              minLength: 1,
              description:
                'PEM file of the certificate authorities that are trusted for the server; ' +
                'without it, those that Node trusts.',
            }),
          ),
          certFile: Type.Optional(
            Type.String({
              minLength: 1,
              description:
                'PEM file of the client certificate. Files are read again at every connection.',
            }),
          ),
          keyFile: Type.Optional(
            Type.String({
              minLength: 1,
              description: 'PEM file of its private key.',
            }),
          ),
          serverName: Type.Optional(
            Type.String({
              minLength: 1,
              description:
                "The name in the server's certificate, if it differs from the host name.",
            }),
          ),
        },
        { ...strict, description: 'TLS to Redis, with rediss://.' },
      ),
    ),
    accounts: Type.Optional(AccountsSchema),
    replicas: Type.Integer({
      minimum: 0,
      maximum: 16,
      default: 0,
      description:
        'How many Redis replicas must confirm a login, a revocation or a change of an account ' +
        'before it is answered; with fewer the answer is 503.',
    }),
    lossPeriod: duration(
      '1h',
      'How long, at most, everything is answered with 503 after Redis has lost ' +
        'its data. `latchkey store accept` ends that time earlier.',
    ),
    allowEviction: Type.Boolean({
      default: false,
      description:
        'Allows a Redis that may throw keys away (a maxmemory-policy other than noeviction).',
    }),
    allowNoAuthentication: Type.Boolean({
      default: false,
      description: 'Allows a Redis without authentication that is not on loopback.',
    }),
    sentinel: Type.Optional(
      Type.Object(
        {
          username: Type.Optional(
            Type.String({
              minLength: 1,
              description: 'The ACL user at the sentinels.',
            }),
          ),
          password: Type.Optional(
            Type.String({
              minLength: 1,
              description: 'The password at the sentinels.',
            }),
          ),
          passwordFile: Type.Optional(
            Type.String({
              minLength: 1,
              description:
                'A file that holds that password, read again at every connection.',
            }),
          ),
        },
        { ...strict, description: 'What the sentinels themselves ask for.' },
      ),
    ),
  },
  { ...strict, description: 'The store.' },
)
