// PATCH of users (RFC 7644 §3.5.2): each form that callers send, all of it or nothing.
import t from 'tap'
import { STORES } from '../../../conformance/helpers.ts'
import { EXTENSION, PATCH_OP, scimOn, USER } from '../../../support/scim.ts'

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const NAMED = { displayName: 'Ann', name: { givenName: 'Ann', familyName: 'Lee' } }
const MAIL = { value: 'ann@example.com', type: 'work' }
const WORK = 'emails[type eq "work"]'
const MOBILE = 'phoneNumbers[type eq "mobile"]'

interface Row {
  readonly name: string
  /** What the user has before. */
  readonly before?: object
  readonly operations: readonly object[]
  /** What of the user is there afterwards; undefined: it is gone. */
  readonly after: Readonly<Record<string, unknown>>
}

const ROWS: readonly Row[] = [
  {
    name: 'add, replace and remove of one value',
    before: NAMED,
    operations: [
      { op: 'add', path: 'locale', value: 'de' },
      { op: 'replace', path: 'displayName', value: 'Anna' },
      { op: 'remove', path: 'name.familyName' },
    ],
    after: { locale: 'de', displayName: 'Anna', name: { givenName: 'Ann' } },
  },
  {
    name: 'without a path, with an empty one, with null',
    before: NAMED,
    operations: [
      { op: 'add', value: { locale: 'de', name: { givenName: 'Anne' } } },
      { op: 'replace', path: '', value: { displayName: 'A' } },
      { op: 'replace', path: null, value: { userName: 'anne', NICKNAME: 'x' } },
    ],
    after: {
      locale: 'de',
      displayName: 'A',
      userName: 'anne',
      name: { givenName: 'Anne', familyName: 'Lee' },
    },
  },
  {
    name: 'in capitals, with texts for flags, by names in any case',
    operations: [
      { op: 'Replace', path: 'ACTIVE', value: 'False' },
      { OP: 'ADD', PATH: `${USER}:Name.GivenName`, VALUE: 'Ann' },
    ],
    after: { active: false, name: { givenName: 'Ann' } },
  },
  {
    name: 'null removes',
    before: NAMED,
    operations: [
      { op: 'replace', path: 'displayName', value: null },
      { op: 'replace', path: 'name.givenName', value: null },
      { op: 'replace', value: { name: { familyName: null } } },
    ],
    after: { displayName: undefined, name: undefined },
  },
  {
    name: 'the whole of what has parts',
    before: NAMED,
    operations: [{ op: 'remove', path: 'name' }],
    after: { name: undefined },
  },
  {
    name: 'an address that is not there is made',
    operations: [{ op: 'Replace', path: `${WORK}.value`, value: 'ann@example.com' }],
    after: { emails: [MAIL] },
  },
  {
    name: 'an address that is there is replaced',
    before: { emails: [MAIL] },
    operations: [{ op: 'Add', path: `${WORK}.value`, value: 'lee@example.com' }],
    after: { emails: [{ ...MAIL, value: 'lee@example.com' }] },
  },
  {
    name: 'a whole address by a filter',
    before: { emails: [MAIL] },
    operations: [
      {
        op: 'replace',
        path: 'emails[value sw "ann" and type eq "work"]',
        value: { value: 'lee@example.com' },
      },
    ],
    after: { emails: [{ ...MAIL, value: 'lee@example.com' }] },
  },
  {
    name: 'an address removed by a filter',
    before: { emails: [MAIL] },
    operations: [{ op: 'remove', path: 'emails[not (type ne "work") or value pr]' }],
    after: { emails: undefined },
  },
  {
    name: 'a number and an address of another type are made',
    operations: [
      { op: 'Add', path: `${MOBILE}.value`, value: '+491' },
      { op: 'add', path: 'emails[type eq "home"].value', value: 'ann@example.com' },
    ],
    after: {
      phoneNumbers: [{ value: '+491', type: 'mobile' }],
      emails: [{ ...MAIL, type: 'home' }],
    },
  },
  {
    name: 'a number and an address of another type are changed',
    before: {
      phoneNumbers: [{ value: '+491', type: 'mobile' }],
      emails: [{ ...MAIL, type: 'home' }],
    },
    operations: [
      { op: 'Replace', path: `${MOBILE}.value`, value: '+492' },
      { op: 'replace', path: 'emails[type eq "Home"].value', value: 'lee@example.com' },
    ],
    after: {
      phoneNumbers: [{ value: '+492', type: 'mobile' }],
      emails: [{ value: 'lee@example.com', type: 'home' }],
    },
  },
  {
    name: 'a number and an address of another type are removed',
    before: {
      phoneNumbers: [{ value: '+491', type: 'mobile' }],
      emails: [{ ...MAIL, type: 'home' }],
    },
    operations: [
      { op: 'Remove', path: MOBILE },
      { op: 'remove', path: 'emails[type eq "home"].value' },
    ],
    after: { phoneNumbers: undefined, emails: undefined },
  },
  {
    name: 'of several numbers that of work is kept, with its type',
    before: { phoneNumbers: [{ value: '+491', type: 'mobile' }] },
    operations: [
      { op: 'Add', path: 'phoneNumbers[type eq "fax"].value', value: '+493' },
      { op: 'Replace', path: 'phoneNumbers[type eq "work"].value', value: '+494' },
      { op: 'Replace', path: `${MOBILE}.value`, value: '+492' },
    ],
    after: { phoneNumbers: [{ value: '+494', type: 'work' }] },
  },
  {
    name: 'another type alone',
    before: { phoneNumbers: [{ value: '+491' }] },
    operations: [
      { op: 'replace', path: 'phoneNumbers[type eq "work"].type', value: 'mobile' },
    ],
    after: { phoneNumbers: [{ value: '+491', type: 'mobile' }] },
  },
  {
    name: 'addresses without their value are none',
    before: { emails: [MAIL], phoneNumbers: [{ value: '+4930' }] },
    operations: [
      { op: 'remove', path: `${WORK}.value` },
      { op: 'remove', path: 'phoneNumbers.value' },
    ],
    after: { emails: undefined, phoneNumbers: undefined },
  },
  {
    name: 'a filter that means nobody removes nobody',
    before: { emails: [MAIL] },
    operations: [
      { op: 'remove', path: 'emails[type eq "home"]' },
      { op: 'remove', path: 'emails[value[type eq "x"]]' },
      { op: 'remove', path: 'emails[display pr]' },
      { op: 'remove', path: 'phoneNumbers.value' },
    ],
    after: { emails: [MAIL] },
  },
  {
    name: 'which address is primary is not kept',
    before: { emails: [MAIL] },
    operations: [{ op: 'replace', path: `${WORK}.primary`, value: false }],
    after: { emails: [MAIL] },
  },
  {
    name: 'a new primary address takes the place of the old one',
    before: { emails: [MAIL] },
    operations: [
      { op: 'add', path: 'emails', value: [{ value: 'lee@example.com', primary: true }] },
    ],
    after: { emails: [{ ...MAIL, value: 'lee@example.com' }] },
  },
  {
    name: 'an address as a text, and all addresses by their part',
    operations: [
      { op: 'add', path: 'emails', value: 'ann@example.com' },
      { op: 'add', path: 'phoneNumbers.value', value: '+4930' },
      { op: 'replace', path: 'emails.value', value: 'lee@example.com' },
    ],
    after: {
      emails: [{ ...MAIL, value: 'lee@example.com' }],
      phoneNumbers: [{ value: '+4930', type: 'work' }],
    },
  },
  {
    name: 'several values of our own',
    before: { [EXTENSION]: { regions: ['eu'], seats: 1 } },
    operations: [
      { op: 'add', path: `${EXTENSION}:regions`, value: ['us', 'eu'] },
      { op: 'remove', path: `${EXTENSION}:regions`, value: ['eu'] },
      { op: 'add', path: EXTENSION, value: { tenant: 'acme', beta: true } },
      { op: 'remove', path: `${EXTENSION}:seats` },
      { op: 'add', path: `${EXTENSION}:scopes`, value: 'orders:read' },
    ],
    after: {
      [EXTENSION]: {
        scopes: ['orders:read'],
        regions: ['us'],
        tenant: 'acme',
        beta: true,
      },
    },
  },
  {
    name: 'flags of our own as texts',
    before: { [EXTENSION]: { beta: 'True', switches: ['true', false] } },
    operations: [
      { op: 'Replace', path: `${EXTENSION}:beta`, value: 'False' },
      { op: 'Add', path: EXTENSION, value: { switches: ['FALSE'] } },
    ],
    after: { [EXTENSION]: { beta: false, switches: [true, false, false] } },
  },
  {
    name: 'all of our own, and values by a filter',
    before: { [EXTENSION]: { regions: ['eu', 'us'], scopes: ['orders:read'] } },
    operations: [
      { op: 'remove', path: `${EXTENSION}:regions[value eq "eu"]` },
      { op: 'remove', path: EXTENSION },
    ],
    after: { [EXTENSION]: undefined },
  },
  {
    name: 'what is not kept here changes nothing',
    operations: [
      { op: 'add', path: `${ENTERPRISE}:department`, value: 'IT' },
      { op: 'add', value: { [ENTERPRISE]: { manager: 'x' }, title: 'Dr.' } },
      { op: 'add', path: 'name.nothing', value: 1 },
      { op: 'add', path: 'locale.nothing', value: 1 },
      { op: 'add', path: '__proto__.polluted', value: 1 },
      { op: 'add', path: 'constructor', value: 1 },
      { op: 'add', path: 'displayName', value: 'Ann' },
    ],
    after: { displayName: 'Ann' },
  },
  {
    name: 'an address that changes is not verified any more',
    before: { emails: [MAIL], [EXTENSION]: { emailVerified: true } },
    operations: [{ op: 'replace', path: `${WORK}.value`, value: 'lee@example.com' }],
    after: { [EXTENSION]: { emailVerified: false } },
  },
]

for (const store of STORES) {
  t.test(`each form, ${store}`, async t => {
    const { add, patch } = await scimOn(t, store)
    for (const [index, { name, before, operations, after }] of ROWS.entries()) {
      const { id } = await add(`user-${index}`, before)
      const answer = await patch(`/Users/${id}`, operations)
      t.equal(answer.statusCode, 200, `${name}: ${answer.body}`)
      for (const [member, value] of Object.entries(after)) {
        t.strictSame(answer.json()[member], value, `${name}: ${member}`)
      }
      await patch(`/Users/${id}`, [{ op: 'remove', path: 'emails' }])
    }
    t.notOk('polluted' in {})
  })

  t.test(`all or nothing, ${store}`, async t => {
    const { add, call, patch } = await scimOn(t, store)
    const { id } = await add('ann', { ...NAMED, emails: [MAIL] })
    await add('bob', { emails: [{ value: 'bob@example.com' }], externalId: 'b' })
    const before = (await call('GET', `/Users/${id}`)).body
    const rows: ReadonlyArray<[operation: object, status: number, scimType: string]> = [
      [{ op: 'bogus' }, 400, 'invalidSyntax'],
      [{ op: 'remove' }, 400, 'noTarget'],
      [{ op: 'remove', path: 'userName' }, 400, 'mutability'],
      [{ op: 'replace', path: 'userName', value: null }, 400, 'mutability'],
      [{ op: 'replace', path: 'id', value: 'x' }, 400, 'mutability'],
      [{ op: 'remove', path: 'id' }, 400, 'mutability'],
      [{ op: 'replace', path: 'meta.version', value: 'x' }, 400, 'mutability'],
      [{ op: 'replace', path: 7, value: 'x' }, 400, 'invalidPath'],
      [{ op: 'replace', path: 'a[', value: 'x' }, 400, 'invalidPath'],
      [{ op: 'replace', path: 'a.b.c', value: 'x' }, 400, 'invalidPath'],
      [{ op: 'replace', path: 'emails] x', value: 'x' }, 400, 'invalidPath'],
      [{ op: 'replace', path: 'emails[type eq "work"', value: 'x' }, 400, 'invalidPath'],
      [
        { op: 'replace', path: 'emails[type eq "work"] x', value: 'x' },
        400,
        'invalidPath',
      ],
      [{ op: 'replace', path: 'name[givenName eq "a"]', value: 'x' }, 400, 'invalidPath'],
      [{ op: 'replace', path: `${WORK}.value`, value: 'nonsense' }, 400, 'invalidValue'],
      [{ op: 'replace', path: 'emails[type co "x"]', value: {} }, 400, 'noTarget'],
      [{ op: 'replace', path: 'name', value: 'x' }, 400, 'invalidValue'],
      [{ op: 'add', path: 'emails', value: [7] }, 400, 'invalidValue'],
      [{ op: 'add', value: 'x' }, 400, 'invalidValue'],
      [{ op: 'add', path: EXTENSION, value: 'x' }, 400, 'invalidValue'],
      [{ op: 'add', path: `${EXTENSION}:seats`, value: 'x' }, 400, 'invalidValue'],
      [{ op: 'add', path: `${EXTENSION}:beta`, value: 'yes' }, 400, 'invalidValue'],
      [{ op: 'add', path: `${EXTENSION}:nothing`, value: 1 }, 400, 'invalidValue'],
      [{ op: 'add', value: { [EXTENSION]: { nothing: 1 } } }, 400, 'invalidValue'],
      [{ op: 'replace', path: 'active', value: 'x' }, 400, 'invalidValue'],
      [{ op: 'replace', path: 'userName', value: 'BOB' }, 409, 'uniqueness'],
      [
        { op: 'replace', path: 'emails', value: { value: 'bob@example.com' } },
        409,
        'uniqueness',
      ],
      [{ op: 'replace', path: 'externalId', value: 'b' }, 409, 'uniqueness'],
    ]
    for (const [operation, status, scimType] of rows) {
      const answer = await patch(`/Users/${id}`, [
        { op: 'replace', path: 'displayName', value: 'changed' },
        { op: 'replace', path: 'active', value: false },
        operation,
      ])
      t.equal(answer.statusCode, status, JSON.stringify(operation))
      t.match(answer.json(), { scimType, status: `${status}` }, JSON.stringify(operation))
      t.equal((await call('GET', `/Users/${id}`)).body, before)
    }
    const same = await patch(`/Users/${id}`, [
      { op: 'replace', value: { id, active: true } },
    ])
    t.equal(same.statusCode, 200, 'what stays may come along')
    t.equal(same.body, before)
    t.equal(
      (await patch('/Users/nobody', [{ op: 'remove', path: 'name' }])).statusCode,
      404,
    )
  })
}

t.test('what is no PATCH', async t => {
  const { add, call, server } = await scimOn(t, 'SQLite')
  const { id } = await add('ann')
  const send = async (body: object, status: number) => {
    const answer = await call('PATCH', `/Users/${id}`, { body })
    t.equal(answer.statusCode, status, JSON.stringify(body).slice(0, 100))
  }
  const operations = [{ op: 'add', path: 'displayName', value: 'Ann' }]
  await send({ Operations: operations }, 200)
  await send({ schemas: [USER], Operations: operations }, 400)
  await send({ schemas: [PATCH_OP] }, 400)
  await send({ schemas: [PATCH_OP], Operations: [] }, 400)
  await send({ schemas: [PATCH_OP], Operations: [null] }, 400)
  await send({ schemas: [PATCH_OP], Operations: Array(1001).fill(operations[0]) }, 400)
  server.live.strict = true
  await send({ Operations: operations }, 400)
  await send({ schemas: [PATCH_OP], Operations: operations }, 200)
  for (const operation of [
    { op: 'Add', path: 'displayName', value: 'Ann' },
    { op: 'add', path: 'displayName' },
    { op: 'add', path: 'title', value: 'Dr.' },
    { op: 'replace', path: 'emails[type eq "work"].value', value: 'a@example.com' },
    { op: 'replace', value: { id } },
    { op: 'replace', path: `${EXTENSION}:beta`, value: 'True' },
  ]) {
    await send({ schemas: [PATCH_OP], Operations: [operation] }, 400)
  }
})

t.test('writers at once lose nothing', async t => {
  const { add, call, patch } = await scimOn(t, 'Redis')
  const { id } = await add('ann')
  const paths = ['displayName', 'locale', `${EXTENSION}:tenant`, 'name.givenName']
  const answers = await Promise.all(
    paths.map(path => patch(`/Users/${id}`, [{ op: 'add', path, value: 'x' }])),
  )
  t.strictSame(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 200, 200],
  )
  t.match((await call('GET', `/Users/${id}`)).json(), {
    displayName: 'x',
    locale: 'x',
    name: { givenName: 'x' },
    [EXTENSION]: { tenant: 'x' },
  })
})
