// Backups of both stores, taken and put back by the commands of docs/reliability.md: whoever was there at
// that time logs in, and a password that was changed between the two ends the sessions of before.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { blocksOf } from '../support/blocks.ts'
import { runChild } from '../support/children.ts'
import { SECRET } from '../support/command-line.ts'
import { startPostgres } from '../support/databases.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { PASSWORD, postForm, storeUrlFor, STORES } from '../support/server.ts'
import { textOf } from '../docs/support/blocks.ts'

const LATCHKEY = join(import.meta.dirname, '../../bin/latchkey.js')
const NEW = `${PASSWORD} of later`
const [TAKE = ''] = blocksOf('docs/reliability.md', 'Backups of both', 'sh')
const [BACKUP = '', DUMP = ''] = TAKE.trim().split('\n')
/** The page has these within its sentences. */
const [PUT_ACCOUNTS = '', PUT_SESSIONS = ''] = [
  /`(pg_restore [^`]+)`/,
  /`(latchkey store restore [^`]+)`/,
].map(command =>
  command.exec(textOf('docs/reliability.md'))?.[1]?.replaceAll(/\s+/g, ' '),
)

for (const store of STORES) {
  t.test(`sessions in ${store.name}`, async t => {
    const database = await startPostgres(t)
    const url = await storeUrlFor(t, store)
    const folder = t.testdir()
    const stores = { url, accounts: { url: database.url } }
    const file = join(folder, 'latchkey.yaml')
    const issuer = 'http://127.0.0.1'
    writeFileSync(file, JSON.stringify({ issuer, store: stores, secrets: [SECRET] }))
    const shell = (command: string) =>
      runChild(
        'bash',
        ['-c', `latchkey () { '${process.execPath}' '${LATCHKEY}' "$@"; }; ${command}`],
        {
          cwd: folder,
          env: {
            PATH: process.env['PATH'],
            LATCHKEY_CONFIG: file,
            ACCOUNTS_URL: database.url,
          },
        },
      )

    const before = await start(t, url, stores)
    for (const name of ['ann', 'bob', 'cid']) await before.add(name)
    const [ann, bob] = [await before.login('ann'), await before.login('bob')]
    await shell(BACKUP)
    t.match(await before.accounts.setPassword('bob', NEW), { kind: 'done' })
    await shell(DUMP)
    t.match(await before.accounts.setPassword('ann', NEW), { kind: 'done' })
    t.match(await before.accounts.remove('cid'), { kind: 'done' })
    await before.add('dan')
    await before.close()

    await database.run('DROP SCHEMA latchkey CASCADE')
    await forget(url)
    await shell(PUT_ACCOUNTS)
    await shell(PUT_SESSIONS)

    const after = await start(t, url, stores)
    t.match(await after.login('ann'), { status: 200 }, 'as it was')
    t.match(await after.refresh(ann), { status: 200 }, 'and the session goes on')
    t.match(await after.login('bob'), { status: 400 })
    t.match(await after.login('bob', NEW), { status: 200 })
    t.match(await after.refresh(bob), { status: 400 }, 'no session outlives a password')
    t.match(await after.login('cid'), { status: 200 }, 'is there again')
    t.match(await after.login('dan'), { status: 400 }, 'is gone')
    await after.close()

    // PostgreSQL goes on alone: a store that was lost takes up its accounts.
    await forget(url)
    const alone = await start(t, url, stores)
    t.match(await alone.login('ann'), { status: 200 })
  })
}

async function start(t: Test, url: string, store: object) {
  const server = await startInProcess(t, { config: configOf(url, { store }) })
  const { accounts } = server.core
  const post = (fields: Record<string, string>) =>
    postForm(`${server.url}/token`, { client_id: 'mobile', ...fields })
  return {
    accounts,
    close: server.close,
    async add(name: string) {
      const account = { name, password: PASSWORD, scopes: null, roles: [] }
      t.match(await accounts.add(account), { kind: 'added' })
    },
    login: (username: string, password = PASSWORD) =>
      post({ grant_type: 'password', username, password }),
    refresh: ({ body }: Awaited<ReturnType<typeof post>>) =>
      post({ grant_type: 'refresh_token', refresh_token: body.refresh_token }),
  }
}

/** Loses the store of the sessions. */
async function forget(url: string): Promise<void> {
  if (url.startsWith('redis:')) {
    const redis = new Redis(url)
    await redis.flushall()
    redis.disconnect()
    return
  }
  const file = url.slice('sqlite:'.length)
  for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
}
