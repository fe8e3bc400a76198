// What every system writes of a person is read into the attributes that are declared, and what has no place
// is reported. The files beside this one have the form in which the systems write them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { commandLine } from '../../support/command-line.ts'
import { startRedis } from '../../support/redis.ts'
import { fileOf } from './files.ts'

const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const ALL = [
  'attributes:',
  '  email: { unique: true }',
  ...[
    'name',
    'given_name',
    'family_name',
    'nickname',
    'picture',
    'locale',
    'zoneinfo',
    'phone_number',
    'phone_number_verified',
  ].map(name => `  ${name}: {}`),
  '  groups: { type: string, list: true }',
  '  tenant: { type: string, maxLength: 64 }',
  '  seats: { type: integer }',
  '  beta: { type: boolean }',
  '  since: { type: date-time }',
  '  sites: { type: string, list: true }',
  '  department: { type: string }',
]
const STORES = ['SQLite', 'Redis'] as const

/** Commands on either store. */
async function setUp(
  t: Test,
  store: (typeof STORES)[number],
  more: readonly string[] = ALL,
) {
  const bench = commandLine(t, { more })
  const redis = store === 'Redis' ? await startRedis() : undefined
  t.teardown(() => redis?.stop())
  const env = {
    LATCHKEY_CONFIG: bench.file,
    ...(redis !== undefined && { STORE: redis.url }),
  }
  const latchkey = (line: string, stdin: string | Buffer = '') =>
    bench.latchkey(line, stdin, { env })
  const known = async (name: string) => {
    const [{ attributes, emailVerified } = {}] = (
      await latchkey(`users show ${name} --json`)
    ).records
    return { attributes, emailVerified }
  }
  const put = (name: string, content: string) => {
    const file = join(bench.directory, name)
    writeFileSync(file, content)
    return file
  }
  return { latchkey, known, put, directory: bench.directory }
}

const sorted = (out: string) => out.split('\n').sort()

/** Firebase's hash parameters, in a file. */
const parameters = JSON.stringify({
  signerKey: Buffer.alloc(64, 1).toString('base64'),
  saltSeparator: 'Bw==',
  rounds: 8,
  memCost: 14,
})

const PICTURE = 'https://img.example.com/zoe.png'

/** A file, how it is imported, and what comes of it. */
const imports = [
  {
    system: 'Keycloak',
    file: 'keycloak-realm.json',
    flags:
      '--from keycloak --map attributes.tenant=attributes.tenant ' +
      '--map attributes.seats=attributes.seats,attributes.sites=attributes.sites',
    accounts: {
      zoe: {
        attributes: {
          email: 'zoe@bücher.example',
          given_name: 'Zoë',
          family_name: 'Müller-Łukasz',
          picture: PICTURE,
          locale: 'de',
          zoneinfo: 'Europe/Berlin',
          phone_number: '+4930123456',
          phone_number_verified: true,
          groups: ['/staff', '/staff/Köln'],
          tenant: 'acme',
          seats: 3,
          sites: ['Köln', 'Wien'],
        },
        emailVerified: true,
      },
      // Nothing to be verified: the system's flag is about no address.
      'nobody-known': { attributes: {}, emailVerified: false },
    },
    refused: ['user 3: attributes.seats: expected a whole number'],
    notTaken: { 'attributes.costCenter': null, clientRoles: null },
  },
  {
    system: 'Auth0',
    file: 'auth0-joined.jsonl',
    flags:
      '--from auth0 --map attributes.tenant=app_metadata.tenant ' +
      '--map attributes.seats=app_metadata.seats --map attributes.sites=app_metadata.sites ' +
      '--map attributes.beta=app_metadata.beta --map attributes.department=app_metadata.limits.area',
    accounts: {
      'zoe@example.com': {
        attributes: {
          email: 'zoe@example.com',
          name: 'Zoë Müller',
          given_name: 'Zoë',
          family_name: 'Müller',
          nickname: 'zoe',
          picture: PICTURE,
          phone_number: '+12125550001',
          phone_number_verified: false,
          tenant: 'acme',
          seats: 0,
          beta: false,
          sites: ['Köln; Nord', 'Wien'],
          department: 'eu',
        },
        emailVerified: true,
      },
      'auth0|euclid': {
        attributes: { email: 'euclid@example.com', seats: 0 },
        emailVerified: false,
      },
    },
    refused: ['line 3: app_metadata.tenant: expected a text of at most 64 characters'],
    notTaken: {
      username: null,
      'user_metadata.color': null,
      'user_metadata.tenant': null,
      'app_metadata.plan': null,
      'app_metadata.limits.tier': null,
    },
  },
  {
    system: 'Firebase',
    file: 'firebase.json',
    flags:
      '--from firebase --firebase-parameters PARAMETERS ' +
      '--map attributes.tenant=customAttributes.tenant,attributes.seats=customAttributes.seats',
    accounts: {
      'zoe@example.com': {
        attributes: {
          email: 'zoe@example.com',
          name: 'Zoë Müller',
          picture: PICTURE,
          phone_number: '+4930123456',
          tenant: 'acme',
          seats: 3,
        },
        emailVerified: true,
      },
    },
    refused: ['user 2: customAttributes: not an object of JSON'],
    notTaken: { 'customAttributes.admin': null },
  },
  {
    system: 'Supabase',
    file: 'supabase-users.csv',
    flags:
      '--from supabase --map attributes.tenant=raw_app_meta_data.tenant ' +
      '--map attributes.seats=raw_app_meta_data.seats',
    accounts: {
      'zoe@example.com': {
        attributes: {
          email: 'zoe@example.com',
          name: 'Zoë Müller',
          picture: PICTURE,
          locale: 'de',
          phone_number: '+4930123456',
          phone_number_verified: true,
          tenant: 'acme',
          seats: 2,
        },
        emailVerified: true,
      },
      'new@example.com': {
        attributes: { email: 'new@example.com' },
        emailVerified: false,
      },
    },
    refused: [],
    notTaken: { 'raw_user_meta_data.tenant': null, 'raw_user_meta_data.theme': null },
  },
  {
    system: 'Django',
    file: 'django-auth_user.csv',
    flags: '--from django',
    accounts: {
      zoe: {
        attributes: {
          email: 'zoe@example.com',
          given_name: 'Zoë',
          family_name: 'Müller',
          department: 'Köln',
        },
        emailVerified: false,
      },
      bare: { attributes: {}, emailVerified: false },
    },
    refused: [],
    notTaken: { is_superuser: null, is_staff: null },
  },
  {
    system: 'a table',
    file: 'people.csv',
    flags: '--map name=login,passwordHash=pw --map enabled=is_active',
    accounts: {
      zoe: {
        attributes: {
          email: 'zoe@example.com',
          name: 'Zoë Müller',
          seats: 3,
          beta: true,
          since: '2026-11-28T12:00:00Z',
          sites: ['Köln', 'Wien'],
          tenant: 'acme',
        },
        emailVerified: false,
      },
      yan: { attributes: { beta: false, sites: ['Köln; Nord'] }, emailVerified: false },
    },
    refused: [
      'line 4: seats: expected a whole number',
      'line 5: beta: expected true or false',
      'line 6: since: expected an instant',
      'line 7: sites[0]: expected a text of at most 255 characters, for the attribute sites',
      'line 8: attributes.email taken: line 2 of this file has it as well',
      'line 9: email: expected an e-mail address such as ann@example.com, for the attribute email',
    ],
    notTaken: { 'shoe size': null },
  },
] as const

for (const store of STORES) {
  t.test(`what each system says of a person, and the way back: ${store}`, async t => {
    for (const { system, file, flags, accounts, refused, notTaken } of imports) {
      const { latchkey, known, put, directory } = await setUp(t, store)
      const line = `users import ${fileOf(file, directory)} ${flags}`.replace(
        'PARAMETERS',
        put('parameters.json', parameters),
      )
      const dry = await latchkey(`${line} --dry-run`)
      const ran = await latchkey(`${line} --json`)
      t.equal(ran.code, refused.length > 0 ? 1 : 0, `${system}: ${ran.err}`)
      t.match(ran.records.at(-1), { alreadyThere: 0 }, 'the dry run has added nothing')
      for (const words of refused) t.match(dry.out, words, system)
      const fields = ran.records.filter(record => 'notTaken' in record)
      t.strictSame(
        Object.fromEntries(fields.map(one => [one['notTaken'], one['attribute']])),
        notTaken,
        `${system}: what has no place`,
      )
      for (const field of Object.keys(notTaken)) {
        t.match(dry.out, `not taken: ${field} of `)
      }
      for (const [name, expected] of Object.entries(accounts)) {
        t.strictSame(await known(name), expected, `${system}: ${name}`)
      }
      const exported = (await latchkey('users export')).out
      const again = await setUp(t, store)
      t.equal((await again.latchkey('users import -', exported)).code, 0, system)
      t.strictSame(sorted((await again.latchkey('users export')).out), sorted(exported))
    }
  })

  t.test(`every kind of value goes out and comes in: ${store}`, async t => {
    const { latchkey, known } = await setUp(t, store)
    const attributes = {
      email: 'jörg@bücher.example',
      name: '',
      given_name: '山田 👪',
      seats: 0,
      beta: false,
      since: '2024-02-29T23:59:59.123456789+14:00',
      sites: ['', 'a;b', '["c"]', 'é\u0301'],
      groups: [],
    }
    const records = [
      { name: 'jörg', passwordHash: BCRYPT, attributes, emailVerified: true },
      { name: 'unproved', passwordHash: BCRYPT, attributes: { email: 'u@example.com' } },
      { name: 'bare', passwordHash: BCRYPT },
    ]
    const text = records.map(record => JSON.stringify(record)).join('\n')
    t.match(await latchkey('users import -', text), { code: 0, out: /^3 imported/ })
    const exported = await latchkey('users export')
    const again = await setUp(t, store)
    t.match(await again.latchkey('users import -', exported.out), { code: 0 })
    t.strictSame(sorted((await again.latchkey('users export')).out), sorted(exported.out))
    t.strictSame(await again.known('jörg'), { attributes, emailVerified: true })
    t.strictSame(await again.known('unproved'), {
      attributes: { email: 'u@example.com' },
      emailVerified: false,
    })
    t.strictSame(await known('bare'), { attributes: {}, emailVerified: false })
  })

  t.test(`what can't be taken names the place and changes nothing: ${store}`, async t => {
    const { latchkey, put, known } = await setUp(t, store, [
      ...ALL,
      'tokens: { claimsMaxBytes: 40 }',
      'claims: { tenant: { from: tenant } }',
    ])
    await latchkey(
      'users add ann --attribute email=ann@example.com',
      'correct horse battery staple',
    )
    const before = await known('ann')
    const file = put(
      'people.csv',
      [
        'name,passwordHash,email,tenant,emailVerified',
        `long,${BCRYPT},,${'x'.repeat(40)},`,
        `taken,${BCRYPT},ANN@example.com,,t`,
        `nobody,${BCRYPT},,,t`,
        `fine,${BCRYPT},fine@example.com,acme,t`,
      ].join('\n'),
    )
    for (const dryRun of ['', ' --dry-run']) {
      const { code, out } = await latchkey(`users import ${file}${dryRun}`)
      t.equal(code, 1)
      for (const words of [
        'line 2: attributes.tenant: expected claims of at most 40 bytes',
        'line 3: attributes.email: another account has this value',
        'line 4: attributes.email_verified: expected an attribute email',
      ]) {
        t.match(out, words)
      }
    }
    t.strictSame(await known('ann'), before)
    t.strictSame(await known('fine'), {
      attributes: { email: 'fine@example.com', tenant: 'acme' },
      emailVerified: true,
    })
    for (const name of ['long', 'taken', 'nobody']) {
      t.match(await latchkey(`users show ${name}`), { code: 1 }, name)
    }
  })
}
