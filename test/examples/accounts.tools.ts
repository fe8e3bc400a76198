// examples/accounts, run as its README says: an app keeps its users by SCIM, with a machine's token.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { runChild } from '../support/children.ts'
import { python, ROOT } from '../support/python.ts'
import { startExample } from '../support/resource-server.ts'
import {
  API_SECRET,
  PASSWORD,
  postForm,
  sha256Line,
  startLatchkey,
  STORES,
} from '../support/server.ts'

const FOLDER = join(ROOT, 'examples/accounts')
const AUDIENCE = 'http://127.0.0.1:8000'
const CLIENT_SECRET_HASH = sha256Line(API_SECRET)
const interpreter = await python()

t.test('latchkey.yaml is a good configuration', async t => {
  const { stdout } = await runChild(
    process.execPath,
    [join(ROOT, 'bin/latchkey.js'), 'config', 'check'],
    {
      cwd: t.testdir(),
      env: {
        CLIENT_SECRET_HASH,
        LATCHKEY_SECRET: 's'.repeat(43),
        LATCHKEY_CONFIG: join(FOLDER, 'latchkey.yaml'),
      },
    },
  )
  t.match(String(stdout), /: right, 2 clients/)
})

for (const { name, make } of STORES) {
  t.test(`an app keeps its users, on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const file = readFileSync(join(FOLDER, 'latchkey.yaml'), 'utf8')
    const { attributes, login, clients } = parse(file)
    const latchkey = await startLatchkey({
      storeUrl: store.url,
      addUser: false,
      env: { CLIENT_SECRET_HASH },
      config: { attributes, login, clients },
    })
    t.teardown(() => latchkey.stop())
    const adding = runChild(
      process.execPath,
      [join(ROOT, 'bin/latchkey.js'), 'users', 'add', 'boss', '--roles', 'staff'],
      { env: { CLIENT_SECRET_HASH, LATCHKEY_CONFIG: latchkey.configFile } },
    )
    adding.child.stdin?.end(PASSWORD)
    await adding
    const app = await startExample(
      {
        name: 'accounts',
        command: interpreter,
        args: port => ['-m', 'uvicorn', 'main:app', '--port', String(port)],
        env: {
          AUDIENCE,
          LATCHKEY_MANAGEMENT: latchkey.managementUrl,
          CLIENT_SECRET: API_SECRET,
        },
      },
      latchkey.url,
    )
    t.teardown(() => app.stop())

    const logIn = (username: string, password = PASSWORD) =>
      postForm(`${latchkey.url}/token`, {
        grant_type: 'password',
        client_id: 'web',
        username,
        password,
      })
    const ask = async (method: string, path: string, body?: object, token?: string) => {
      const answer = await fetch(`${app.url}${path}`, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      const read: any = text === '' ? undefined : JSON.parse(text)
      return { status: answer.status, body: read }
    }
    const staff: string = (await logIn('boss')).body.access_token
    const asStaff = (method: string, path: string, body?: object) =>
      ask(method, path, body, staff)
    const ann = { name: 'ann', email: 'ann@example.com', password: `of Ann: ${PASSWORD}` }

    const registered = await ask('POST', '/register', ann)
    t.match(registered, {
      status: 201,
      body: { name: 'ann', email: 'ann@example.com', active: true },
    })
    const path = `/members/${registered.body.sub}`
    t.equal((await ask('POST', '/register', ann)).status, 409, 'the name is taken')
    const short = { name: 'bob', email: 'bob@example.com', password: 'short' }
    t.match(await ask('POST', '/register', short), { status: 422, body: { detail: /./ } })
    t.equal(
      (await ask('POST', '/register', { ...short, password: PASSWORD })).status,
      201,
    )

    const session = await logIn('ann@example.com', ann.password)
    t.equal(session.status, 200, 'she logs in with what she has typed there')
    for (const [token, status] of [
      [undefined, 401],
      ['nonsense', 401],
      [session.body.access_token, 403],
    ] as const) {
      t.equal((await ask('GET', path, undefined, token)).status, status)
    }

    t.match((await asStaff('GET', path)).body, registered.body)
    t.match((await asStaff('GET', '/members')).body.members, [
      { name: 'boss' },
      { name: 'ann' },
      { name: 'bob' },
    ])
    t.match((await asStaff('GET', '/members?email=ann@example.com')).body.members, [
      registered.body,
    ])
    t.same((await asStaff('GET', '/members?email=eve@example.com')).body.members, [])
    const change = { name: 'anna', email: 'anna@example.com' }
    t.match(await asStaff('PATCH', path, change), { status: 200, body: change })
    t.equal((await asStaff('PATCH', path, { email: 'bob@example.com' })).status, 409)
    t.match((await asStaff('GET', path)).body, change, 'nothing of it was done')

    t.match((await asStaff('POST', `${path}/disable`)).body, { active: false })
    const refresh = {
      grant_type: 'refresh_token',
      client_id: 'web',
      refresh_token: session.body.refresh_token,
    }
    t.equal((await postForm(`${latchkey.url}/token`, refresh)).status, 400, 'ended')
    t.equal((await logIn('anna', ann.password)).status, 400)
    t.match((await asStaff('POST', `${path}/enable`)).body, { active: true })
    t.equal((await logIn('anna', `${ann.password} `)).status, 400)
    t.equal((await logIn('anna', ann.password)).status, 200)
    t.equal((await asStaff('DELETE', path)).status, 204)
    t.equal((await asStaff('GET', path)).status, 404)
    t.equal((await asStaff('DELETE', path)).status, 404)
    t.equal((await ask('POST', '/register', ann)).status, 201, 'the name is free again')

    const said = [...latchkey.lines, ...app.lines].join('')
    t.match(said, '"actor":"client:members"')
    t.notMatch(said, ann.password, 'no password is logged')
    await latchkey.stop()
    const away = await asStaff('GET', path)
    t.equal(away.status, 503, 'a Latchkey that is away is no verdict')
  })
}
