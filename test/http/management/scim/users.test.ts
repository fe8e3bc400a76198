// Users by SCIM (RFC 7643, RFC 7644), on both stores: added, shown, changed and removed.
import { inflateSync } from 'node:zlib'
import { decodeJwt } from 'jose'
import t from 'tap'
import { noteRequiredChange } from '../../../../src/users/required-change.ts'
import { STORES } from '../../../conformance/helpers.ts'
import { ISSUER, PASSWORD, type TestApp } from '../../../support/app.ts'
import { EXTENSION, GROUP, PATCH_OP, scimOn, USER } from '../../../support/scim.ts'
import { notePending } from '../../../support/stores.ts'

const WHOLE = {
  externalId: 'hr-7',
  displayName: 'Ann Lee',
  name: { givenName: 'Ann', familyName: 'Lee', formatted: 'Ann Lee' },
  emails: [
    { value: 'home@example.com', type: 'home' },
    { value: 'Ann@Example.com', type: 'work', primary: true },
  ],
  phoneNumbers: [{ value: '+49301234567', type: 'mobile' }],
  locale: 'de-DE',
  'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': { department: 'IT' },
  [EXTENSION]: {
    scopes: ['orders:read'],
    tenant: 'acme',
    seats: 3,
    beta: true,
    regions: ['eu', 'us'],
    emailVerified: true,
  },
}

const ANY_TEXT = { list: false, unique: false }
const ONLY_ONE = { list: false, unique: true }

/** The status of an access token, as a service reads it that fetches the list now. */
async function bitOf(server: TestApp, token: string): Promise<number> {
  await server.status.sync()
  const { status } = decodeJwt<{ status: { status_list: { idx: number; uri: string } } }>(
    token,
  )
  const { idx, uri } = status.status_list
  const { body } = await server.app.inject({ url: uri.slice(ISSUER.length) })
  const list = decodeJwt<{ status_list: { lst: string } }>(body)
  const bytes = inflateSync(Buffer.from(list.status_list.lst, 'base64url'))
  return (Number(bytes[idx >> 3]) >> (idx & 7)) & 1
}

for (const store of STORES) {
  t.test(`a whole user, ${store}`, async t => {
    const { call, add, server } = await scimOn(t, store)
    const user = await add('ann', { ...WHOLE, password: 'a password of her own' })
    const shown = {
      schemas: [USER, EXTENSION],
      id: user.id,
      externalId: 'hr-7',
      userName: 'ann',
      displayName: 'Ann Lee',
      name: { givenName: 'Ann', familyName: 'Lee' },
      emails: [{ value: 'Ann@Example.com', type: 'work' }],
      phoneNumbers: [{ value: '+49301234567', type: 'mobile' }],
      locale: 'de-DE',
      active: true,
      [EXTENSION]: WHOLE[EXTENSION],
    }
    t.match(user, shown)
    t.match(user['meta'], {
      resourceType: 'User',
      location: `https://management.example.com/scim/v2/Users/${user.id}`,
      version: /^W\/"[\w.]+"$/,
    })
    const answer = await call('GET', `/Users/${user.id}`)
    t.strictSame(answer.json(), user)
    t.equal(answer.headers['etag'], Object(user['meta']).version)
    t.equal(answer.headers['location'], Object(user['meta']).location)
    t.notMatch(answer.body, /argon2|password/)
    const others = await call('GET', `/Users/${user.id}`, { as: 'entra' })
    t.notHas(others.json(), { externalId: 'hr-7' }, 'each caller has its own')
    const login = await server.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'ann',
      password: 'a password of her own',
      scope: 'orders:read orders:write',
    })
    t.match(login.json(), { scope: 'orders:read' })
    t.match(server.lines.join(''), /"change":"added","actor":"token:okta"/)
    t.notMatch(server.lines.join(''), /argon2id\$|of her own|Ann@|lks_/)
  })

  t.test(`a user who has deleted the account, ${store}`, async t => {
    const { call, add, server } = await scimOn(t, store)
    const { id } = await add('ann', { displayName: 'Ann' })
    t.notHas(await call('GET', `/Users/${id}`).then(answer => answer.json()), {
      [EXTENSION]: { deletesAt: /./ },
    })
    const tag = String((await server.accounts.find('ann'))?.tag)
    await notePending(server.store.directory, tag, { deleteAt: Date.UTC(2026, 11, 24) })
    const deletesAt = '2026-12-24T00:00:00.000Z'
    const shown = await call('GET', `/Users/${id}`)
    t.match(shown.json(), { active: true, [EXTENSION]: { deletesAt } })
    const body = { ...shown.json(), displayName: 'Anna', [EXTENSION]: { deletesAt: '' } }
    const put = await call('PUT', `/Users/${id}`, { body })
    t.equal(put.statusCode, 200, put.body)
    t.match(
      put.json(),
      { displayName: 'Anna', [EXTENSION]: { deletesAt } },
      'is read only',
    )
    const schemas = await call('GET', `/Schemas/${EXTENSION}`)
    t.match(schemas.body, '"deletesAt"')
  })

  t.test(`a user whose password must be changed, ${store}`, async t => {
    const { call, add, patch, server } = await scimOn(t, store)
    const { id, ...user } = await add('ann', { password: 'a copied one' })
    t.notMatch(JSON.stringify(user), 'passwordChangeRequired')
    const ann = await server.accounts.find('ann')
    if (ann === undefined) throw new Error('nobody')
    await noteRequiredChange(server.store.directory, ann, true)
    const required = { [EXTENSION]: { passwordChangeRequired: true } }
    t.match((await call('GET', `/Users/${id}`)).json(), required)
    t.match((await call('GET', '/Users')).json(), { Resources: [{}, required] })
    const body = { ...user, id, [EXTENSION]: { passwordChangeRequired: false } }
    t.match((await call('PUT', `/Users/${id}`, { body })).json(), required, 'read only')
    const password = 'a password of her own'
    const set = await patch(`/Users/${id}`, [
      { op: 'replace', path: 'password', value: password },
    ])
    t.equal(set.statusCode, 200, set.body)
    t.notMatch(set.body, 'passwordChangeRequired', 'another one is set')
    const schemas = await call('GET', `/Schemas/${EXTENSION}`)
    t.match(schemas.body, '"passwordChangeRequired"')
  })

  t.test(`a PUT takes the place of what was there, ${store}`, async t => {
    const { call, add } = await scimOn(t, store)
    const { id } = await add('ann', { ...WHOLE, active: false })
    const put = async (body: object, status = 200) => {
      const answer = await call('PUT', `/Users/${id}`, {
        body: { schemas: [USER], ...body },
      })
      t.equal(answer.statusCode, status, answer.body)
      return answer.json()
    }
    const bare = await put({ id: 'another', userName: 'ann', meta: { version: 'x' } })
    t.match(bare, { id, active: false, [EXTENSION]: { tenant: 'acme' } })
    for (const name of ['externalId', 'displayName', 'name', 'emails', 'locale']) {
      t.notOk(name in bare, `${name} is removed`)
    }
    const renamed = await put({
      userName: 'Anna',
      [EXTENSION]: { seats: 4 },
      active: true,
    })
    t.match(renamed, { id, userName: 'Anna', active: true })
    t.strictSame(renamed[EXTENSION], { seats: 4 })
    const again = await put({ userName: 'Anna', [EXTENSION]: { seats: 4 }, active: true })
    t.equal(again.meta.version, renamed.meta.version, 'nothing is new')
    await put({ userName: 'alice' }, 409)
    await put({ userName: 'a b' }, 400)
    await put({}, 400)
    await put({ userName: 'ann', active: 'perhaps' }, 400)
    await put({ userName: 'ann', password: 7 }, 400)
    await put({ userName: 'ann', externalId: 7 }, 400)
    await put({ userName: 'ann', [EXTENSION]: [] }, 400)
    await put({ userName: 'ann', [EXTENSION]: { scopes: 'orders:read' } }, 400)
    await put({ userName: 'ann', [EXTENSION]: { scopes: ['a b'] } }, 400)
    await put({ userName: 'ann', emails: ['ann@example.com'] }, 400)
    await put({ userName: 'ann', emails: [{ value: 'nonsense' }] }, 400)
    const typed = (kind: unknown) => ({
      userName: 'ann',
      phoneNumbers: [{ value: '+49', type: kind }],
    })
    await put(typed(7), 400)
    const { detail } = await put(typed('x'.repeat(65)), 400)
    t.equal(
      detail,
      'the type of phone_number is invalid: expected a text of at most 64 characters',
    )
    await put({ userName: 'ann', displayName: { a: 1 } }, 400)
    await put({ userName: 'ann', password: 'ann' }, 400)
    t.match((await call('GET', `/Users/${id}`)).json(), { userName: 'Anna' })
  })

  t.test(`active: false ends sessions, and true revives none, ${store}`, async t => {
    const { call, patch, server } = await scimOn(t, store)
    const tokens = await server.login()
    t.equal(await bitOf(server, tokens.access_token), 0)
    const [alice] = (await call('GET', '/Users?filter=userName eq "alice"')).json()
      .Resources
    const off = await patch(`/Users/${alice.id}`, [
      { op: 'replace', value: { active: false } },
    ])
    t.equal(off.json().active, false)
    t.match(await server.introspect(tokens.access_token), { active: false })
    t.equal(await bitOf(server, tokens.access_token), 1, 'its bit is set')
    t.equal((await server.refresh(tokens.refresh_token)).statusCode, 400)
    const on = await patch(`/Users/${alice.id}`, [
      { op: 'Replace', path: 'active', value: 'True' },
    ])
    t.equal(on.json().active, true)
    t.equal(await bitOf(server, tokens.access_token), 1, 'nothing is revived')
    t.equal((await server.refresh(tokens.refresh_token)).statusCode, 400)
    await server.login()
    const changed = await patch(`/Users/${alice.id}`, [
      { op: 'replace', path: 'password', value: 'another one' },
    ])
    t.equal(changed.statusCode, 200)
    const old = await server.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'alice',
      password: PASSWORD,
    })
    t.equal(old.statusCode, 400)
    t.match(await server.login({ password: 'another one' }), { token_type: 'Bearer' })
    server.live.attributes = { dept: { list: false, unique: false } }
    const dept = { attributes: { dept: 'a long name of a department' } }
    t.match(await server.accounts.change(alice.id, () => dept), { kind: 'done' })
    server.live.attributes = { dept: { list: false, unique: false, maxLength: 4 } }
    const suspended = await patch(`/Users/${alice.id}`, [
      { op: 'replace', path: 'active', value: false },
    ])
    t.equal(suspended.statusCode, 200, 'what is forbidden since is no hindrance')
    const asName = server.accounts.change(alice.id, () => ({ password: 'alice' }))
    t.match(await asName, { kind: 'refused', reason: 'password_is_name' })
  })

  t.test(`whose address another one has, too, ${store}`, async t => {
    const { call, add, patch, server } = await scimOn(t, store)
    const twins = [{ value: 'twins@example.com' }]
    server.live.attributes = { ...server.live.attributes, email: ANY_TEXT }
    const { id: ann } = await add('ann', { emails: twins })
    const { id: bob } = await add('bob', { emails: twins, externalId: 'hr-8' })
    server.live.attributes = { ...server.live.attributes, email: ONLY_ONE }
    const own = [{ value: 'eve@example.com' }]
    const { id: eve } = await add('eve', { emails: own })
    const members = [ann, bob, eve].map(value => ({ value }))
    const body = { schemas: [GROUP], displayName: 'staff', members }
    const group = await call('POST', '/Groups', { body })
    t.equal(group.statusCode, 201, 'they get roles')
    const access = { scopes: ['orders:read'], roles: ['staff', 'other'] }
    t.match(await server.accounts.setAccess('bob', access), { kind: 'done' })
    for (const name of ['ann', 'bob']) {
      const told = { attributes: { name: 'Somebody' } }
      t.match(await server.accounts.setAttributes(name, told), { kind: 'done' })
    }
    const off = [{ op: 'replace', path: 'active', value: false }]
    for (const id of [ann, bob, eve]) {
      const suspended = await patch(`/Users/${id}`, off)
      t.equal(suspended.statusCode, 200, suspended.body)
      t.equal(suspended.json().active, false)
    }
    const path = `/Groups/${group.json().id}`
    t.equal((await call('DELETE', path)).statusCode, 204, 'and lose them')
    t.strictSame((await server.accounts.bySub(ann))?.roles, [])
    t.strictSame((await server.accounts.bySub(bob))?.roles, ['other'])
    const post = (emails: object[], more = {}) =>
      call('POST', '/Users', {
        body: { schemas: [USER], userName: 'fay', emails, ...more },
      })
    t.equal((await post(own)).statusCode, 409, 'what is claimed stays so')
    t.equal((await post([], { externalId: 'hr-8' })).statusCode, 409)
    const other = [
      { op: 'replace', path: 'emails[type eq "work"].value', value: 'b@example.com' },
    ]
    t.equal((await patch(`/Users/${bob}`, other)).statusCode, 200)
    const found = await call('GET', '/Users?filter=emails.value eq "b@example.com"')
    t.match(found.json().Resources, [{ id: bob }], 'another address is claimed')
    t.equal((await post([{ value: 'b@example.com' }])).statusCode, 409)
    const late = await patch(`/Users/${ann}`, [{ ...other[0], value: 'eve@example.com' }])
    t.match(late.json(), { status: '409', detail: 'email is taken' })
  })

  t.test(`what is gone is gone, and its name is free, ${store}`, async t => {
    const { call, add } = await scimOn(t, store)
    const first = await add('ann', { externalId: 'hr-7' })
    const gone = await call('DELETE', `/Users/${first.id}`)
    t.equal(gone.statusCode, 204)
    t.equal(gone.body, '')
    for (const method of ['GET', 'DELETE'] as const) {
      const answer = await call(method, `/Users/${first.id}`)
      t.equal(answer.statusCode, 404)
      t.match(answer.json(), { status: '404' })
    }
    const put = { body: { schemas: [USER], userName: 'ann' } }
    t.equal((await call('PUT', `/Users/${first.id}`, put)).statusCode, 404)
    const second = await add('ann', { externalId: 'hr-7' })
    t.not(second.id, first.id)
    const twice = await Promise.all(
      [1, 2].map(() => call('DELETE', `/Users/${second.id}`)),
    )
    t.strictSame(twice.map(({ statusCode }) => statusCode).sort(), [204, 404])
  })

  t.test(`one of two at once, ${store}`, async t => {
    const { call } = await scimOn(t, store)
    const post = (more: object) =>
      call('POST', '/Users', { body: { schemas: [USER], ...more } })
    const names = await Promise.all([1, 2].map(() => post({ userName: 'ann' })))
    t.strictSame(names.map(({ statusCode }) => statusCode).sort(), [201, 409])
    const emails = [{ value: 'ann@example.com' }]
    const mails = await Promise.all(
      ['bob', 'cid'].map(userName => post({ userName, emails })),
    )
    t.strictSame(mails.map(({ statusCode }) => statusCode).sort(), [201, 409])
    const externals = await Promise.all(
      ['dan', 'eve'].map(userName => post({ userName, externalId: 'x' })),
    )
    t.strictSame(externals.map(({ statusCode }) => statusCode).sort(), [201, 409])
    const refused = externals.find(({ statusCode }) => statusCode === 409)
    t.match(refused?.json(), { scimType: 'uniqueness', detail: 'externalId is taken' })
    const elsewhere = await call('POST', '/Users', {
      as: 'entra',
      body: { schemas: [USER], userName: 'fay', externalId: 'x' },
    })
    t.equal(elsewhere.statusCode, 201, 'what another caller calls its own')
  })

  t.test(`versions are heard and never asked for, ${store}`, async t => {
    const { call, add } = await scimOn(t, store)
    const user = await add('ann')
    const path = `/Users/${user.id}`
    const { version } = Object(user['meta'])
    const headers = { 'if-match': version }
    const known = await call('GET', path, { headers: { 'if-none-match': version } })
    t.equal(known.statusCode, 304)
    t.equal(known.body, '')
    const operations = [{ op: 'add', path: 'displayName', value: 'Ann' }]
    const first = await call('PATCH', path, {
      headers,
      body: { schemas: [PATCH_OP], Operations: operations },
    })
    t.equal(first.statusCode, 200)
    t.not(first.headers['etag'], version)
    const late = await call('DELETE', path, { headers })
    t.equal(late.statusCode, 412)
    t.match(late.json(), { status: '412', scimType: 'invalidVers' })
    const put = await call('PUT', path, {
      headers,
      body: { schemas: [USER], userName: 'ann' },
    })
    t.equal(put.statusCode, 412)
    t.equal(
      (await call('DELETE', path, { headers: { 'if-match': '*' } })).statusCode,
      204,
    )
  })

  t.test(`an operator keeps the account that they come with, ${store}`, async t => {
    const { call, patch, server } = await scimOn(t, store)
    await server.accounts.setAccess('alice', { scopes: null, roles: ['operator'] })
    const token = (await server.login({ client_id: 'console', scope: 'scim' }))
      .access_token
    const headers = { authorization: `Bearer ${token}` }
    const me = (await call('GET', '/Me', { headers })).json()
    t.equal(me.userName, 'alice')
    const path = `/Users/${me.id}`
    t.match((await call('DELETE', path, { headers })).json(), { status: '403' })
    const off = [{ op: 'replace', path: 'active', value: false }]
    const refused = await call('PATCH', path, { headers, body: { Operations: off } })
    t.equal(refused.statusCode, 403)
    const operation = async (op: string, attribute: string, value?: unknown) => {
      const Operations = [{ op, path: attribute, value }]
      return (await call('PATCH', path, { headers, body: { Operations } })).statusCode
    }
    t.equal(await operation('add', 'displayName', 'Alice'), 200)
    const scopes = `${EXTENSION}:scopes`
    t.equal(await operation('replace', scopes, ['profile']), 403, 'without scim')
    t.equal(await operation('replace', scopes, ['scim', 'orders:read']), 403)
    t.equal((await server.accounts.bySub(me.id))?.scopes, null)
    const held = ['scim', 'profile']
    t.equal(
      (await patch(path, [{ op: 'add', path: scopes, value: held }])).statusCode,
      200,
    )
    t.equal(await operation('replace', scopes, held), 200, 'as they are')
    t.equal(await operation('remove', scopes), 403)
    const whole = { schemas: [USER], userName: 'alice', [EXTENSION]: {} }
    const put = await call('PUT', path, { headers, body: whole })
    t.equal(put.statusCode, 403, 'left out of a whole')
    t.strictSame((await server.accounts.bySub(me.id))?.scopes, held)
    t.match(server.lines.join(''), new RegExp(`"actor":"user:${me.id}"`))
    t.equal((await call('GET', '/Me')).statusCode, 404, 'a token is nobody')
    t.equal((await patch(path, off)).statusCode, 200, 'others may')
  })
}

t.test('without passwords, without e-mail addresses, strictly', async t => {
  const { call, add, patch, server } = await scimOn(t, 'SQLite')
  server.live.scimPasswords = false
  const post = (more: object) =>
    call('POST', '/Users', { body: { schemas: [USER], ...more } })
  t.equal((await post({ userName: 'ann', password: 'long enough' })).statusCode, 400)
  const { id } = await add('ann')
  const set = [{ op: 'add', path: 'password', value: 'long enough' }]
  t.equal((await patch(`/Users/${id}`, set)).statusCode, 400)
  server.live.attributes = {}
  t.match(
    (await post({ userName: 'bob', emails: [{ value: 'b@example.com' }] })).json(),
    {
      schemas: [USER],
      userName: 'bob',
    },
  )
  server.live.strict = true
  for (const more of [
    { nonsense: 1 },
    { emails: [] },
    { 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': {} },
  ]) {
    t.equal(
      (await post({ userName: 'cid', ...more })).statusCode,
      400,
      JSON.stringify(more),
    )
  }
  server.live.attributes = { email: { list: false, unique: true } }
  const two = [{ value: 'a@example.com' }, { value: 'b@example.com' }]
  t.equal((await post({ userName: 'cid', emails: two })).statusCode, 400)
  t.equal((await post({ userName: 'cid', emails: two[0] })).statusCode, 400)
  t.equal((await post({ userName: 'cid', emails: [two[0]] })).statusCode, 201)
})

t.test('bodies that are none', async t => {
  const { call, server } = await scimOn(t, 'SQLite')
  const rows: ReadonlyArray<[body: string | object, status: number, scimType?: string]> =
    [
      ['{', 400, 'invalidSyntax'],
      ['', 400, 'invalidSyntax'],
      ['[]', 400, 'invalidSyntax'],
      ['null', 400, 'invalidSyntax'],
      [{ userName: 'ann' }, 400, 'invalidSyntax'],
      [{ schemas: [PATCH_OP], userName: 'ann' }, 400, 'invalidSyntax'],
      [
        '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"__proto__":{"userName":"x"}}',
        400,
        'invalidValue',
      ],
    ]
  for (const [body, status, scimType] of rows) {
    const answer = await call('POST', '/Users', { body })
    t.equal(answer.statusCode, status, JSON.stringify(body))
    t.match(answer.json(), { scimType })
  }
  const text = await call('POST', '/Users', {
    body: 'userName=ann',
    headers: { 'content-type': 'text/plain' },
  })
  t.equal(text.statusCode, 415)
  t.match(text.json(), { detail: /application\/scim\+json or application\/json$/ })
  t.equal(text.headers['accept'], 'application/scim+json, application/json')
  const empty = await call('DELETE', '/Users/x', {
    headers: { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' },
  })
  t.equal(empty.statusCode, 404, 'no body is of no type')
  const plain = await call('POST', '/Users', {
    body: { schemas: [USER], userName: 'ann' },
    headers: { 'content-type': 'application/json' },
  })
  t.equal(plain.statusCode, 201)
  await server.store.close()
  const away = await call('GET', '/Users/x')
  t.equal(away.statusCode, 503)
  t.equal(away.headers['retry-after'], '1')
  t.match(away.json(), { status: '503' })
})
