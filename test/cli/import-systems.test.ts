// Every way in which a system keeps somebody out keeps them out here, and a field that can't be read is
// named.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandLine } from '../support/command-line.ts'

const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'

const password = (more = {}) => ({
  type: 'password',
  secretData: JSON.stringify({
    value: Buffer.alloc(64, 1).toString('base64'),
    salt: Buffer.alloc(16, 2).toString('base64'),
  }),
  credentialData: JSON.stringify({ hashIterations: 1_300_000, algorithm: 'pbkdf2' }),
  ...more,
})
const keycloak = (more = {}) => ({
  username: 'ann',
  enabled: true,
  credentials: [password()],
  ...more,
})
const supabase = (more = {}) => ({
  id: '1',
  email: 'ann',
  encrypted_password: BCRYPT,
  banned_until: null,
  deleted_at: null,
  email_confirmed_at: '2026-01-01 00:00:00+00',
  ...more,
})
const django = (more = {}) => ({
  username: 'ann',
  password: BCRYPT,
  is_active: true,
  ...more,
})
const auth0 = (more = {}) => ({
  _id: { $oid: '60' },
  email: 'ann',
  passwordHash: BCRYPT,
  ...more,
})
const firebase = (more = {}) => ({
  localId: '1',
  email: 'ann',
  passwordHash: Buffer.alloc(64, 1).toString('base64'),
  salt: 'c2FsdA==',
  ...more,
})

/** What becomes of a user: enabled, disabled by a field, or refused. */
const users = [
  { from: 'keycloak', name: 'anybody', user: keycloak(), by: undefined },
  {
    from: 'keycloak',
    name: 'no action required',
    user: keycloak({ requiredActions: [] }),
    by: undefined,
  },
  {
    from: 'keycloak',
    name: 'disabled',
    user: keycloak({ enabled: false }),
    by: 'enabled',
  },
  ...['UPDATE_PASSWORD', 'VERIFY_EMAIL', 'CONFIGURE_TOTP', 'TERMS_AND_CONDITIONS'].map(
    action => ({
      from: 'keycloak',
      name: `to do ${action}`,
      user: keycloak({ requiredActions: [action] }),
      by: 'requiredActions',
    }),
  ),
  {
    from: 'keycloak',
    name: 'a temporary password',
    user: keycloak({ credentials: [password({ temporary: true })] }),
    by: 'credentials.temporary',
  },
  {
    from: 'keycloak',
    name: 'a permanent password',
    user: keycloak({ credentials: [{ type: 'otp' }, password({ temporary: false })] }),
    by: undefined,
  },
  {
    from: 'keycloak',
    name: 'no flag',
    user: keycloak({ enabled: null }),
    refused: 'enabled',
  },
  {
    from: 'keycloak',
    name: 'actions that are no list',
    user: keycloak({ requiredActions: 'x' }),
    refused: 'requiredActions',
  },
  {
    from: 'keycloak',
    name: 'credentials that are no list',
    user: keycloak({ credentials: 'x' }),
    refused: 'credentials',
  },
  {
    from: 'keycloak',
    name: 'a credential without algorithm',
    user: keycloak({ credentials: [password({ credentialData: '{}' })] }),
    refused: 'credentials.credentialData',
  },
  {
    from: 'keycloak',
    name: 'no credentials',
    user: keycloak({ credentials: null }),
    refused: 'credentials',
    reason: 'no_password',
  },

  { from: 'supabase', name: 'anybody', user: supabase(), by: undefined },
  {
    from: 'supabase',
    name: 'banned',
    user: supabase({ banned_until: '2099-01-01 00:00:00+00' }),
    by: 'banned_until',
  },
  {
    from: 'supabase',
    name: 'banned for ever',
    user: supabase({ banned_until: 'infinity' }),
    by: 'banned_until',
  },
  {
    from: 'supabase',
    name: 'banned once',
    user: supabase({ banned_until: '2020-01-01 00:00:00.12+02' }),
    by: undefined,
  },
  {
    from: 'supabase',
    name: 'unconfirmed',
    user: supabase({ email_confirmed_at: null }),
    by: 'email_confirmed_at',
  },
  {
    from: 'supabase',
    name: 'deleted',
    user: supabase({ deleted_at: '2026-01-01T00:00:00Z' }),
    refused: 'deleted_at',
    reason: 'user_deleted',
  },
  {
    from: 'supabase',
    name: 'a time that is none',
    user: supabase({ banned_until: 'soon' }),
    refused: 'banned_until',
  },
  {
    from: 'supabase',
    name: 'no password',
    user: supabase({ encrypted_password: '' }),
    refused: 'encrypted_password',
    reason: 'no_password',
  },
  {
    from: 'supabase',
    name: 'no address',
    user: supabase({ email: null }),
    refused: 'email',
  },

  { from: 'django', name: 'anybody', user: django(), by: undefined },
  {
    from: 'django',
    name: 'inactive',
    user: django({ is_active: 'False' }),
    by: 'is_active',
  },
  {
    from: 'django',
    name: 'neither',
    user: django({ is_active: null }),
    refused: 'is_active',
  },
  {
    from: 'django',
    name: 'no usable password',
    user: django({ password: '!Qx7' }),
    refused: 'password',
    reason: 'no_password',
  },

  { from: 'auth0', name: 'anybody', user: auth0({ blocked: false }), by: undefined },
  { from: 'auth0', name: 'blocked', user: auth0({ blocked: true }), by: 'blocked' },
  {
    from: 'auth0',
    name: 'not said',
    user: auth0({ blocked: 'perhaps' }),
    refused: 'blocked',
  },

  { from: 'firebase', name: 'anybody', user: firebase(), by: undefined },
  {
    from: 'firebase',
    name: 'disabled',
    user: firebase({ disabled: true }),
    by: 'disabled',
  },
  {
    from: 'firebase',
    name: 'not said',
    user: firebase({ disabled: 'perhaps' }),
    refused: 'disabled',
  },
  {
    from: 'firebase',
    name: 'no salt',
    user: firebase({ salt: null }),
    refused: 'passwordHash',
    reason: 'no_password',
  },
] as const

t.test('who is kept out elsewhere is kept out here', async t => {
  const { latchkey, directory } = commandLine(t)
  const parameters = join(directory, 'parameters.json')
  writeFileSync(
    parameters,
    JSON.stringify({
      signerKey: Buffer.alloc(64, 1).toString('base64'),
      saltSeparator: 'Bw==',
      rounds: 8,
      memCost: 14,
    }),
  )
  for (const { from, name, user, ...expected } of users) {
    const file = join(directory, 'users.json')
    writeFileSync(file, JSON.stringify([user]))
    const { records, err } = await latchkey(
      `users import ${file} --from ${from} --dry-run --json --firebase-parameters ${parameters}`,
    )
    const [first] = records
    const what = `${from}: ${name} ${err}`
    if ('refused' in expected) {
      const { refused, reason = 'line_malformed' } = { reason: undefined, ...expected }
      t.match(first, { field: refused, reason: reason ?? 'line_malformed' }, what)
      continue
    }
    const { by } = expected
    t.match(first, { wouldBe: { name: 'ann', disabled: by !== undefined } }, what)
    t.same(records.at(-1)?.['disabledBy'], by === undefined ? {} : { [by]: 1 }, what)
  }
})

t.test(
  "Auth0's export of hashes doesn't say who is blocked, and that is said",
  async t => {
    const { latchkey } = commandLine(t)
    const ran = await latchkey('users import - --from auth0', JSON.stringify(auth0()))
    t.match(ran, {
      code: 0,
      out: /^note: no record has the field blocked: [^\n]*\n1 imported, /,
    })
    const map = '--map name=email,passwordHash=passwordHash'
    t.match(
      await latchkey(`users import - ${map} --from auth0`, JSON.stringify(auth0())),
      {
        out: /^line 1: name taken: another account has it\n0 imported/,
      },
    )
  },
)
