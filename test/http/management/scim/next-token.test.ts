// What SCIM writes about a user is in that user's next token: sessions live on and say it, on both stores.
import { decodeJwt } from 'jose'
import t from 'tap'
import { PASSWORD } from '../../../support/app.ts'
import { STORES } from '../../../conformance/helpers.ts'
import { EXTENSION, scimOn, USER } from '../../../support/scim.ts'

for (const store of STORES) {
  t.test(`a SCIM write is seen in the next token, on ${store}`, async t => {
    const { server, add, call, patch } = await scimOn(t, store)
    server.live.claims = {
      tenant: { from: 'tenant' },
      seats: { from: 'seats' },
      email: { from: 'email' },
      regions: { from: 'regions' },
    }
    const { id } = await add('ann', {
      password: PASSWORD,
      emails: [{ value: 'ann@example.com' }],
      [EXTENSION]: { tenant: 'acme', seats: 0 },
    })
    const tokens = await server.login({ username: 'ann' })
    t.match(decodeJwt(tokens.access_token), {
      sub: id,
      tenant: 'acme',
      seats: 0,
      email: 'ann@example.com',
    })
    let refreshToken = tokens.refresh_token
    const next = async () => {
      const answer = await server.refresh(refreshToken)
      t.equal(answer.statusCode, 200, answer.body)
      refreshToken = answer.json().refresh_token
      return decodeJwt(answer.json().access_token)
    }
    const rows: ReadonlyArray<
      [what: string, write: () => ReturnType<typeof call>, claims: object, gone: string[]]
    > = [
      [
        'PATCH of one attribute',
        () =>
          patch(`/Users/${id}`, [
            { op: 'replace', path: `${EXTENSION}:tenant`, value: 'Zürich ☃' },
          ]),
        { tenant: 'Zürich ☃', seats: 0, email: 'ann@example.com' },
        ['regions'],
      ],
      [
        'PATCH of a list and of an address',
        () =>
          patch(`/Users/${id}`, [
            { op: 'add', path: `${EXTENSION}:regions`, value: ['eu', ''] },
            { op: 'replace', path: 'emails', value: [{ value: 'ann@example.org' }] },
          ]),
        { regions: ['eu', ''], email: 'ann@example.org' },
        [],
      ],
      [
        'PUT, which removes what it lacks',
        () =>
          call('PUT', `/Users/${id}`, {
            body: { schemas: [USER], userName: 'ann', [EXTENSION]: { seats: 7 } },
          }),
        { seats: 7 },
        ['tenant', 'email', 'regions'],
      ],
      [
        'a new name',
        () => patch(`/Users/${id}`, [{ op: 'replace', path: 'userName', value: 'anna' }]),
        { sub: id, seats: 7 },
        [],
      ],
    ]
    for (const [what, write, claims, gone] of rows) {
      const answer = await write()
      t.equal(answer.statusCode, 200, `${what}: ${answer.body}`)
      const said = await next()
      t.match(said, claims, what)
      for (const name of gone) t.notOk(name in said, `${what}: no ${name}`)
    }
    await patch(`/Users/${id}`, [{ op: 'replace', path: 'active', value: false }])
    const refused = await server.refresh(refreshToken)
    t.match(refused.json(), { error: 'invalid_grant' }, 'who is suspended gets none')
  })
}
