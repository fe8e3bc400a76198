// Which attributes an account may have, and what becomes of them.
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import type { Event } from '../../src/base/events/events.ts'
import type { Attributes } from '../../src/stores/ports/subjects.ts'
import { createSetAttributes } from '../../src/users/account-attributes.ts'
import { checkAttributes, isSameEmail } from '../../src/users/attributes/check.ts'
import {
  declarationsOf,
  type DeclaredAttribute,
} from '../../src/users/attributes/declarations.ts'
import { readEmail } from '../../src/users/attributes/email-address.ts'
import { changesOfTexts, uniqueValueOf } from '../../src/users/attributes/texts.ts'
import { createBuiltInDirectory } from '../../src/users/directory/built-in.ts'
import type { Directory } from '../../src/users/directory/directory.ts'
import { someAccount, STORES, type TestStore } from '../support/stores.ts'

const plain = { list: false, unique: false }
const DECLARED: Readonly<Record<string, DeclaredAttribute>> = {
  email: { ...plain, unique: true },
  name: plain,
  tenant: { ...plain, type: 'string', maxLength: 5 },
  seats: { ...plain, type: 'integer', unique: true },
  beta: { ...plain, type: 'boolean' },
  since: { ...plain, type: 'date-time', unique: true },
  badge: { ...plain, type: 'string', unique: true },
  groups: { type: 'string', list: true, unique: false, maxLength: 2048 },
  sizes: { type: 'integer', list: true, unique: false },
}
const DECLARATIONS = declarationsOf(DECLARED)
const INTEGER = 'a whole number within ±9007199254740991'
const ADDRESS = 'an e-mail address such as ann@example.com'
const INSTANT = 'an instant such as 2026-11-28T12:00:00Z'

const check = (changes: Readonly<Record<string, unknown>>, before: Attributes = {}) =>
  checkAttributes(before, changes, DECLARATIONS)

t.test('values of the declared type are taken as they are', t => {
  for (const changes of [
    { tenant: 'fünf!' },
    { tenant: '' },
    { tenant: '👪👪👪👪👪' },
    { tenant: ' \n\u0000' },
    { name: 'x'.repeat(255) },
    { seats: 0 },
    { seats: Number.MAX_SAFE_INTEGER },
    { seats: Number.MIN_SAFE_INTEGER },
    { beta: false },
    { beta: true },
    { since: '2026-11-28T12:00:00Z' },
    { since: '2024-02-29T23:59:59.123456789+14:00' },
    { groups: [] },
    { groups: ['', 'a', 'a'] },
    { groups: Array.from({ length: 100 }, () => 'x') },
    { sizes: [0, -1] },
    { email: "Ann.O'Hara+news@Example.COM" },
    { email: 'jörg@bücher.example' },
  ]) {
    t.strictSame(Object(check(changes))['attributes'], changes, JSON.stringify(changes))
  }
  t.strictSame(Object(check({ seats: -0 }))['attributes'], { seats: 0 })
  t.strictSame(Object(check({ email: ' ann@example.com\u200B' }))['attributes'], {
    email: 'ann@example.com',
  })
  t.end()
})

t.test('others are refused with their path, and never shown', t => {
  const refuse = (path: string, expected: string, changes: object) =>
    t.strictSame(
      check({ ...changes }),
      { reason: 'attribute_invalid', path, expected },
      JSON.stringify(changes).slice(0, 80),
    )
  for (const tenant of [0, true, ['a'], {}, 'sechs!', '\uD800']) {
    refuse('tenant', 'a text of at most 5 characters', { tenant })
  }
  refuse('name', 'a text of at most 255 characters', { name: 'x'.repeat(256) })
  for (const seats of ['1', 1.5, 2 ** 53, NaN, Infinity, true, []]) {
    refuse('seats', INTEGER, { seats })
  }
  for (const beta of ['true', 0, 1, '']) refuse('beta', 'true or false', { beta })
  for (const since of [
    '2026-02-29T12:00:00Z',
    '2026-11-28',
    '2026-11-28T12:00:00',
    '2026-11-28T24:00:00Z',
    '2026-11-28 12:00:00Z',
    1,
    '',
  ]) {
    refuse('since', INSTANT, { since })
  }
  for (const email of ['', 'ann', 'ann@', 1]) refuse('email', ADDRESS, { email })
  const list = 'a list of at most 100 values'
  for (const groups of ['a', {}, 1, Array.from({ length: 101 }, () => 'x')]) {
    refuse('groups', list, { groups })
  }
  refuse('groups[1]', 'a text of at most 2048 characters', { groups: ['a', 1] })
  refuse('sizes[0]', INTEGER, { sizes: [null] })
  t.end()
})

t.test('what is not declared is refused, also what every object has', t => {
  for (const name of ['other', '__proto__', 'constructor', 'toString', '', 'Email']) {
    const changes = JSON.parse(JSON.stringify({ [`${name}`]: 'x' }))
    Object.defineProperty(changes, name, { value: 'x', enumerable: true })
    t.match(check(changes), {
      reason: 'attribute_undeclared',
      path: name,
      expected: /^one of email, name, tenant/,
    })
  }
  t.match(checkAttributes({}, { a: 1 }, declarationsOf({})), {
    expected: 'one of none: no attribute is declared',
  })
  t.equal(Object(Object.prototype)['x'], undefined)
  t.end()
})

t.test('null removes, what is not named stays, also when it is no longer declared', t => {
  const before = { tenant: 'a', seats: 3, old: ['x'] }
  t.strictSame(Object(check({ tenant: null, beta: false }, before))['attributes'], {
    seats: 3,
    old: ['x'],
    beta: false,
  })
  t.strictSame(before, { tenant: 'a', seats: 3, old: ['x'] })
  t.end()
})

t.test('all attributes of an account fit into 8192 bytes, to the byte', t => {
  const around = JSON.stringify({ groups: ['', '', '', '', ''] }).length
  const fill = (bytes: number) => {
    const rest = bytes - around - 3 * 2048
    return ['x'.repeat(2048), 'x'.repeat(2048), 'x'.repeat(2048), 'x'.repeat(rest), '']
  }
  t.match(check({ groups: fill(8192) }), { attributes: {} })
  t.strictSame(check({ groups: fill(8193) }), {
    reason: 'attributes_too_large',
    path: 'groups',
    expected: 'at most 8192 bytes for all attributes of an account, as JSON',
  })
  t.end()
})

t.test('unique values are compared as their type says', t => {
  const value = (changes: Readonly<Record<string, unknown>>) =>
    Object(check(changes))['uniqueValues']
  t.strictSame(value({ email: 'ANN@BÜCHER.example', tenant: 'a', groups: ['x'] }), [
    { attribute: 'email', value: 'ann@xn--bcher-kva.example' },
  ])
  t.strictSame(value({ badge: 'e\u0301' }), [{ attribute: 'badge', value: '\u00E9' }])
  t.strictSame(value({ badge: 'A' }), [{ attribute: 'badge', value: 'A' }])
  t.strictSame(value({ badge: '' }), [{ attribute: 'badge', value: '' }])
  t.strictSame(value({ seats: 0 }), [{ attribute: 'seats', value: '0' }])
  t.strictSame(
    value({ since: '2026-11-28T12:00:00+01:00' }),
    value({ since: '2026-11-28T11:00:00.000Z' }),
  )
  t.end()
})

t.test("a value that was stored as another type is still somebody's", t => {
  const before = { email: 'not an address', badge: ['a', 'list'] }
  t.match(check({}, before), {
    uniqueValues: [{ attribute: 'email', value: 'not an address' }],
  })
  t.end()
})

t.test('e-mail addresses', t => {
  for (const [one, other] of [
    ['ann@example.com', 'ANN@EXAMPLE.COM'],
    ['ann@example.com', 'ann@ｅxample。com'],
    ['straße@faß.example', 'STRASSE@FASS.example'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
  ] as const) {
    t.equal(readEmail(one)?.folded.split('@')[0], readEmail(other)?.folded.split('@')[0])
    t.ok(readEmail(other)?.folded, other)
  }
  t.equal(readEmail('Ann@Example.COM')?.folded, 'ann@example.com')
  t.equal(readEmail('ann@bücher.example')?.folded, 'ann@xn--bcher-kva.example')
  t.equal(readEmail('ann@localhost')?.folded, 'ann@localhost')
  const local = 'x'.repeat(64)
  t.ok(readEmail(`${local}@example.com`))
  const long = `${'a'.repeat(60)}.`.repeat(3)
  t.ok(readEmail(`${local}@${long}bbbbbb`), 'of 254 bytes')
  t.equal(readEmail(`${local}@${long}bbbbbbb`), undefined, 'and of 255')
  t.equal(isSameEmail(undefined, 'ann@example.com'), false)
  t.equal(isSameEmail(undefined, undefined), true)
  t.equal(isSameEmail('Ann@bücher.example', 'ann@XN--BCHER-KVA.example'), true)
  t.equal(isSameEmail('no address', 'no address'), true)
  for (const [one, other] of [
    ['mike@x.example', 'mi\u212Ae@x.example'],
    ['strasse@x.example', 'straße@x.example'],
    ['i@x.example', 'ı@x.example'],
    ['ann@x.example', 'ａｎｎ@x.example'],
  ] as const) {
    t.equal(readEmail(one)?.folded, readEmail(other)?.folded, 'one by uniqueness')
    t.equal(isSameEmail(one, other), false, `two mailboxes: ${one}, ${other}`)
  }
  for (const text of [
    '@example.com',
    'ann@',
    'ann',
    'a b@example.com',
    '"a b"@example.com',
    '.ann@example.com',
    'ann.@example.com',
    'an..n@example.com',
    'a@b@example.com',
    'a＠b@example.com',
    'a,b@example.com',
    'ann@-example.com',
    'ann@example-.com',
    'ann@exa_mple.com',
    'ann@example..com',
    'ann@example.com.',
    'ann@127.0.0.1',
    'ann@127.1',
    'ann@2130706433',
    'ann@[127.0.0.1]',
    'ann@exam%70le.com',
    'ann@example.com:25',
    'ann@xn--iñvalid.com',
    'a\u202En@example.com',
    'a\u0000n@example.com',
    `x${local}@example.com`,
    `${local}@${long}${'b'.repeat(10)}.example`,
    `${'ﷺ'.repeat(4)}@example.com`,
  ]) {
    t.equal(readEmail(text), undefined, JSON.stringify(text))
  }
  t.end()
})

t.test('what has no type of its own is a text', t => {
  t.match(declarationsOf({ other: plain }).get('other'), { type: 'string' })
  t.end()
})

t.test('texts are read by the declared type', t => {
  const texts = [
    ['tenant', '3'],
    ['seats', '3'],
    ['sizes', '0'],
    ['beta', 'false'],
    ['groups', 'a'],
    ['groups', ''],
    ['since', '2026-11-28T12:00:00Z'],
    ['email', 'ann@example.com'],
    ['other', '1'],
  ] as const
  t.strictSame(changesOfTexts(texts, DECLARATIONS), {
    tenant: '3',
    seats: 3,
    sizes: [0],
    beta: false,
    groups: ['a', ''],
    since: '2026-11-28T12:00:00Z',
    email: 'ann@example.com',
    other: '1',
  })
  t.strictSame(
    changesOfTexts(
      [
        ['seats', '1e3'],
        ['beta', 'yes'],
        ['tenant', 'a'],
        ['tenant', 'b'],
      ],
      DECLARATIONS,
    ),
    { seats: '1e3', beta: 'yes', tenant: ['a', 'b'] },
    'what means nothing is left to the check',
  )
  const value = (attribute: string, text: string) =>
    uniqueValueOf(attribute, text, DECLARATIONS)?.value
  t.equal(value('email', 'ANN@example.com'), 'ann@example.com')
  t.equal(value('seats', '07'), '7')
  for (const [attribute, text] of [
    ['email', 'ann'],
    ['seats', 'seven'],
    ['tenant', 'a'],
    ['other', 'a'],
  ] as const) {
    t.equal(value(attribute, text), undefined, attribute)
  }
  t.end()
})

for (const { name, create } of STORES) {
  t.test(`attributes of accounts on ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    await changes(t, real)
  })
}

/** Changes on a directory; `over` replaces some of what it does. */
function setUp(
  { store }: Pick<TestStore, 'store'>,
  over: (directory: Directory) => Partial<Directory> = () => ({}),
) {
  const events: Event[] = []
  const builtIn = createBuiltInDirectory({
    ...store,
    declarations: () => DECLARATIONS,
    login: () => ['name', 'email'],
  })
  const setAttributes = createSetAttributes({
    directory: { ...builtIn, ...over(builtIn) },
    emit: event => events.push(event),
    declarations: () => DECLARATIONS,
    checkClaims: () => undefined,
  })
  return { setAttributes, events, builtIn }
}

async function changes(t: Test, real: TestStore): Promise<void> {
  const { directory } = real.store
  const { setAttributes, events } = setUp(real)
  let count = 0
  const added = async () => {
    count += 1
    const account = someAccount(`attributes-${count}`, {
      name: `some${count}`,
      foldedName: `some${count}`,
    })
    await directory.add(account)
    return account
  }
  const now = async (name: string) => directory.byName(name)

  await t.test('the event names attributes, and no value', async t => {
    const { name, sub } = await added()
    events.length = 0
    const done = await setAttributes(name.toUpperCase(), {
      attributes: { email: 'secret@example.com', tenant: null },
      emailVerified: true,
    })
    t.strictSame(done, { kind: 'done', sub })
    t.strictSame(events, [
      {
        type: 'user.changed',
        sub,
        change: 'attributes',
        attributes: ['email', 'tenant', 'email_verified'],
      },
    ])
    t.notMatch(JSON.stringify(events), 'secret@')
    events.length = 0
    await setAttributes(name, { attributes: { tenant: 'x' } })
    t.match(events, [{ attributes: ['tenant'] }])
  })

  await t.test(
    'another address is not verified, the same in another case is',
    async t => {
      const { name } = await added()
      const verified = async () => (await now(name))?.emailVerified
      await setAttributes(name, {
        attributes: { email: `${name}@example.com` },
        emailVerified: true,
      })
      await setAttributes(name, { attributes: { tenant: 'a' } })
      t.equal(await verified(), true)
      await setAttributes(name, { attributes: { email: `${name}@EXAMPLE.com` } })
      t.equal(await verified(), true)
      await setAttributes(name, { attributes: { email: `${name}@example.org` } })
      t.equal(await verified(), false)
      await setAttributes(name, { emailVerified: true })
      t.equal(await verified(), true)
      await setAttributes(name, { emailVerified: false })
      t.equal(await verified(), false)
      await setAttributes(name, { emailVerified: true })
      await setAttributes(name, { attributes: { email: null } })
      t.equal(await verified(), false)
      t.strictSame(await setAttributes(name, { emailVerified: true }), {
        kind: 'refused',
        reason: 'attribute_invalid',
        path: 'email_verified',
        expected: 'an attribute email, which it is about',
      })
    },
  )

  await t.test('a refusal changes nothing and is no event', async t => {
    const [owner, rival] = [await added(), await added()]
    await setAttributes(owner.name, { attributes: { email: 'owner@example.com' } })
    const before = [await now(owner.name), await now(rival.name)]
    events.length = 0
    t.strictSame(
      await setAttributes(rival.name, {
        attributes: { tenant: 'a', email: 'OWNER@example.com' },
      }),
      { kind: 'refused', reason: 'attribute_taken', path: 'email' },
    )
    t.match(await setAttributes(rival.name, { attributes: { other: 1 } }), {
      reason: 'attribute_undeclared',
      path: 'other',
    })
    t.strictSame([await now(owner.name), await now(rival.name)], before)
    t.match(await setAttributes('nobody', { attributes: {} }), { reason: 'user_unknown' })
    t.strictSame(events, [])
  })

  await t.test('of many changes at once none is lost', async t => {
    const { name } = await added()
    const all = Object.entries({
      tenant: 'a',
      seats: 9,
      beta: false,
      badge: 'b',
      name: '',
    })
    const outcomes = await Promise.all(
      all.map(([key, value]) => setAttributes(name, { attributes: { [key]: value } })),
    )
    t.ok(outcomes.every(({ kind }) => kind === 'done'))
    t.same((await now(name))?.attributes, Object.fromEntries(all))
    t.equal((await now(name))?.version, all.length)
  })

  await t.test('an account that goes, or never stands still', async t => {
    const { name } = await added()
    const gone = setUp(real, () => ({
      setAttributes: async () => ({ kind: 'user_unknown' }),
    }))
    t.match(await gone.setAttributes(name, {}), { reason: 'user_unknown' })
    let tries = 0
    const restless = setUp(real, () => ({
      async setAttributes() {
        tries += 1
        return { kind: 'superseded' }
      },
    }))
    t.match(await restless.setAttributes(name, {}), { reason: 'changed_meanwhile' })
    t.equal(tries, 100)
  })

  await t.test('what somebody types to log in', async t => {
    const { builtIn } = setUp(real)
    const { name, sub } = await added()
    await setAttributes(name, { attributes: { email: `Login-${name}@Bücher.example` } })
    const email = `login-${name}@XN--BCHER-KVA.example`
    t.match(await builtIn.findLogin(name), { sub })
    t.match(await builtIn.findLogin(email), { sub })
    t.equal(await builtIn.findLogin('nobody@example.com'), undefined)
    t.equal(await builtIn.findLogin('no body'), undefined)
    t.equal(await builtIn.countedName(email), name)
    t.equal(await builtIn.countedName('nobody@example.com'), 'nobody@example.com')
    t.equal(await builtIn.countedName(name.toUpperCase()), name.toUpperCase())
    const byEmail = createBuiltInDirectory({
      ...real.store,
      declarations: () => DECLARATIONS,
      login: () => ['email'],
    })
    t.equal(await byEmail.findLogin(name), undefined)
    t.match(await byEmail.findLogin(email), { sub })
    t.match(await byEmail.find(name), { sub }, 'an operator names it as before')
    t.match(await byEmail.byTag(userTag(sub)), { sub })
    t.equal(await byEmail.byTag('nobody'), undefined)
  })
}
