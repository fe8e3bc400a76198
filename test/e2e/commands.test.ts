// The command line beside running servers on one store, both stores: what it changes counts at every server
// at once.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import t from 'tap'
import { run } from '../../src/cli/main.ts'
import { startChild } from '../support/children.ts'
import {
  API_SECRET,
  PASSWORD,
  postForm,
  startLatchkey,
  STORES,
  type LatchkeyProcess,
} from '../support/server.ts'

const BIN = new URL('../../bin/latchkey.js', import.meta.url).pathname
const OTHER_PASSWORD = 'another horse, another battery'
const REFUSED = { status: 400, body: { error: 'invalid_grant' } }

interface Tokens {
  access_token: string
  refresh_token: string
}

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const secret = 'c'.repeat(43)
    const first = await startLatchkey({ storeUrl: store.url, secret, addUser: false })
    t.teardown(() => first.stop())
    // A replica: another process on the same store, for the same issuer.
    const second = await startLatchkey({
      storeUrl: store.url,
      secret,
      addUser: false,
      config: { issuer: first.url },
    })
    t.teardown(() => second.stop())
    const servers = [first, second]

    /** Runs a command in this process, which is none of the servers'. */
    async function latchkey(line: string, input = '') {
      const [written, ignored]: [string[], string[]] = [[], []]
      const into = (texts: string[]) =>
        new Writable({
          write(chunk, _encoding, done) {
            texts.push(String(chunk))
            done()
          },
        })
      const code = await run(['--json', ...line.split(' ')], {
        stdin: Readable.from([input]),
        stdout: into(written),
        stderr: into(ignored),
        env: { LATCHKEY_CONFIG: first.configFile },
        isTTY: false,
      })
      return {
        code,
        records: written
          .join('')
          .split('\n')
          .filter(text => text !== '')
          .map(text => JSON.parse(text)),
      }
    }
    const login = (username: string, password = PASSWORD, at = first) =>
      postForm(`${at.url}/token`, {
        grant_type: 'password',
        client_id: 'mobile',
        username,
        password,
      })
    const refresh = (at: LatchkeyProcess, { refresh_token: token }: Tokens) =>
      postForm(`${at.url}/token`, {
        grant_type: 'refresh_token',
        client_id: 'mobile',
        refresh_token: token,
      })

    /** Whether an access token lives, as each server says it by /userinfo and by /introspect. */
    async function lives({ access_token: token }: Tokens): Promise<boolean[]> {
      const answers = await Promise.all(
        servers.map(async ({ url }) => [
          (
            await fetch(`${url}/userinfo`, {
              headers: { authorization: `Bearer ${token}` },
            })
          ).status === 200,
          (
            await postForm(`${url}/introspect`, {
              token,
              client_id: 'orders-api',
              client_secret: API_SECRET,
            })
          ).body.active,
        ]),
      )
      return answers.flat()
    }
    const ALIVE = [true, true, true, true]
    const DEAD = [false, false, false, false]

    t.test('a user who was added logs in at once, at every server', async t => {
      t.match(await latchkey('users add bob', PASSWORD), { code: 0 })
      for (const server of servers) {
        t.match(await login('bob', PASSWORD, server), {
          status: 200,
          body: { token_type: 'Bearer' },
        })
      }
      t.match(await login('eve'), REFUSED)
    })

    for (const [what, command, input, after] of [
      [
        'disabling a user',
        'users disable bob',
        '',
        async () => {
          await latchkey('users enable bob')
        },
      ],
      [
        'setting a password',
        'users passwd bob',
        OTHER_PASSWORD,
        async () => {
          t.match(await login('bob', OTHER_PASSWORD), { status: 200 })
          await latchkey('users passwd bob', PASSWORD)
        },
      ],
      [
        'removing a user',
        'users remove bob',
        '',
        async () => {
          await latchkey('users add bob', PASSWORD)
        },
      ],
    ] as const) {
      t.test(`${what} ends the sessions at every server`, async t => {
        const sessions: Tokens[] = [
          (await login('bob')).body,
          (await login('bob', PASSWORD, second)).body,
        ]
        for (const session of sessions) t.strictSame(await lives(session), ALIVE)
        t.equal((await latchkey(command, input)).code, 0)
        for (const session of sessions) {
          t.strictSame(await lives(session), DEAD)
          for (const server of servers) t.match(await refresh(server, session), REFUSED)
        }
        for (const server of servers) {
          t.match(await login('bob', PASSWORD, server), REFUSED)
        }
        await after()
        t.match(await login('bob'), { status: 200 })
        for (const session of sessions) {
          t.strictSame(await lives(session), DEAD, 'and nothing brings them back')
        }
      })
    }

    t.test('sessions are listed, and ended one by one or all', async t => {
      const [kept, ended]: Tokens[] = [
        (await login('bob')).body,
        (await login('bob')).body,
      ]
      if (kept === undefined || ended === undefined) throw new Error('no tokens')
      const { sid } = decodeJwt(ended.access_token)
      const list = async () =>
        (await latchkey('sessions list bob')).records.map(session => session.sid)
      t.ok((await list()).includes(sid))
      t.match(await latchkey(`sessions revoke --user bob -- ${sid}`), {
        code: 0,
        records: [{ sid, outcome: 'ended' }],
      })
      t.notOk((await list()).includes(sid))
      t.strictSame(await lives(ended), DEAD)
      t.match(await refresh(second, ended), REFUSED)
      t.strictSame(await lives(kept), ALIVE, 'the other one lives')
      t.match(await refresh(second, kept), { status: 200 })

      t.equal((await latchkey('sessions revoke-all bob')).code, 0)
      t.strictSame(await lives(kept), DEAD)
      t.match(await refresh(first, kept), REFUSED)
      t.strictSame(await list(), [])
      t.match(await login('bob'), { status: 200 })
    })

    t.test(
      'an import by another process beside two busy servers costs no request',
      async t => {
        const directory = t.testdir()
        const {
          records: [bob],
        } = await latchkey('users show bob')
        t.match(bob, { name: 'bob', disabled: false })
        const file = join(directory, 'users.jsonl')
        await writeFile(
          file,
          Array.from({ length: 150 }, (_, index) =>
            JSON.stringify({ name: `user-${index}`, password: PASSWORD }),
          ).join('\n'),
        )
        const traffic = servers.map(server =>
          keepRefreshing(server, async () => (await login('bob', PASSWORD, server)).body),
        )
        const child = startChild(
          process.execPath,
          [BIN, 'users', 'import', file, '--json'],
          {
            env: { ...process.env, LATCHKEY_CONFIG: first.configFile },
            stdio: ['ignore', 'pipe', 'pipe'],
          },
        )
        const [output, said, [code]] = await Promise.all([
          text(child.stdout),
          text(child.stderr),
          once(child, 'close'),
        ])
        if (code !== 0) t.comment(said)
        t.match(
          { code, output },
          {
            code: 0,
            output:
              '{"imported":150,"alreadyThere":0,"refused":0,"disabled":0,' +
              '"disabledBy":{},"dryRun":false}\n',
          },
        )
        for (const { stop } of traffic) {
          const statuses = await stop()
          t.ok(statuses.length > 5, `${statuses.length} requests meanwhile`)
          t.ok(statuses.every(status => status === 200))
        }
        t.match(await login('user-149', PASSWORD, second), { status: 200 })
      },
    )

    /** Refreshes one session again and again. */
    function keepRefreshing(at: LatchkeyProcess, start: () => Promise<Tokens>) {
      const statuses: number[] = []
      const stopping = new AbortController()
      const loop = (async () => {
        let tokens = await start()
        // Bounded: a forgotten stop() must not keep the file running.
        for (let asked = 0; asked < 5_000 && !stopping.signal.aborted; asked++) {
          const { status, body } = await refresh(at, tokens)
          statuses.push(status)
          if (status !== 200) return
          tokens = body
          await wait(2)
        }
      })()
      return {
        async stop() {
          stopping.abort()
          await loop
          return statuses
        },
      }
    }
  })
}
