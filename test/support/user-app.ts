// An app with users of its own, as it stands before Latchkey: it answers `{"name", "password"}` and `{"id"}`.
import { createHmac } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HttpDirectorySettings } from '../../src/users/directory/http.ts'

/** Signs what the app gets. */
export const APP_SECRET = Buffer.alloc(32, 7).toString('base64')

/** Somebody whom the app knows. */
export interface AppUser {
  readonly id: string | number
  name: string
  password: string
  readonly more?: Record<string, unknown>
  /** What a lookup says, in the place of `more`. */
  known?: Record<string, unknown>
}

/** How the app answers; a number: that status, without looking. */
export type AppMode = 'up' | 'cut' | 'silent' | 'garbage' | number

/** The app. */
export interface UserApp {
  readonly url: string
  readonly users: AppUser[]
  mode: AppMode
  /** What it waits for before it answers. */
  hold?: Promise<void>
  /** How many questions came, and how many had no good signature. */
  asked: number
  unsigned: number
  /** What the last question was. */
  last: unknown
  stop(): Promise<void>
}

/** Starts it on a free port of loopback. */
export async function startUserApp(users: AppUser[] = []): Promise<UserApp> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const body = Buffer.concat(chunks).toString()
    app.asked += 1
    app.last = JSON.parse(body)
    const { headers } = request
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const expected = createHmac('sha256', Buffer.from(APP_SECRET, 'base64'))
      .update(signed)
      .digest('base64')
    if (headers['webhook-signature'] !== `v1,${expected}`) app.unsigned += 1
    await app.hold
    answer(app, String(request.url), response)
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const app: UserApp = {
    url: `http://127.0.0.1:${port}`,
    users,
    mode: 'up',
    asked: 0,
    unsigned: 0,
    last: undefined,
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return app
}

function answer(app: UserApp, path: string, response: ServerResponse): void {
  const { mode, users, last } = app
  if (mode === 'silent') return
  if (mode === 'cut') {
    response.destroy()
    return
  }
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
  if (mode === 'garbage') send(200, '{"id":')
  else if (typeof mode === 'number') send(mode, {})
  else {
    const { name, password, id } = Object(last)
    const user = users.find(each =>
      path === '/lookup' ? String(each.id) === id : each.name === name,
    )
    if (user === undefined) send(404, {})
    else if (path !== '/lookup' && user.password !== password) send(401, {})
    else {
      const more = (path === '/lookup' ? user.known : undefined) ?? user.more
      send(200, { id: user.id, name: user.name, ...more })
    }
  }
}

/** The settings of a directory that asks the app. */
export function appDirectory(
  { url }: UserApp,
  more: Partial<HttpDirectorySettings> = {},
): HttpDirectorySettings {
  return {
    type: 'http',
    name: 'app',
    url: `${url}/verify`,
    lookupUrl: `${url}/lookup`,
    secrets: [APP_SECRET],
    mayBePrivate: true,
    migrate: 'none',
    sub: 'own',
    timeout: 20_000,
    maxInFlight: 64,
    ...more,
  }
}
