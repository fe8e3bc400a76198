// A back-up is made while sessions are refreshed and accounts are written, and put back beside the servers
// that go on: all that was acknowledged before the command began is there, and the store needs no accept.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { type LatchkeyProcess, runNode } from '../support/server.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'
import { FULL, figure, tally } from './support/figures.ts'
import { addUsers, fallen, type Fleet, logIn, startServers } from './support/load.ts'
import { startNode } from './support/redis-node.ts'

const CLI = new URL('../../bin/latchkey.js', import.meta.url).pathname
const WRITER = new URL('support/user-writer.ts', import.meta.url).pathname
const MOVING = Array.from({ length: 8 }, (_, user) => `user-${user % 4}`)
const STILL = Array.from({ length: 16 }, (_, user) => `user-${user % 4}`)
const ACCOUNTS = FULL ? 5_000 : 200

t.test('a back-up of Redis, and the restore, under load', async t => {
  const redis = await startNode(t)
  await survives(t, { name: 'Redis', storeUrl: redis.url, servers: 2 })
})

t.test('a back-up of SQLite, and the restore, under load', async t => {
  const file = join(tempDir(t), 'latchkey.db')
  await survives(t, {
    name: 'SQLite',
    storeUrl: `sqlite:${file}`,
    servers: 1,
    holdBack: () => keepInLog(file),
  })
})

// A reader that takes its time: what is written from now on stays in the write-ahead log until it is done.
function keepInLog(file: string): () => void {
  const db = new DatabaseSync(file)
  db.exec('BEGIN; SELECT 1 FROM users')
  return () => {
    if (db.isOpen) db.close()
  }
}

function tempDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-backup-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

interface Scene {
  readonly name: string
  readonly storeUrl: string
  /** How many run on it. */
  readonly servers: number
  /** Makes a back-up as hard as may be, until what it gives is called. */
  readonly holdBack?: () => () => void
}

async function survives(
  t: Test,
  { name, storeUrl, servers: count, holdBack = () => () => {} }: Scene,
): Promise<void> {
  await addUsers(storeUrl, 4)
  const servers = await startServers(t, count, { storeUrl })
  const still = await logIn(servers, STILL)
  const load = (await logIn(servers, MOVING)).keepRefreshing({ pauseMs: 20 })
  t.teardown(() => load.stop())
  const writer = runNode([WRITER, storeUrl, 'person'], {})
  t.teardown(() => writer.stop())
  const letGo = holdBack()
  t.teardown(letGo)
  await until(() => writer.lines.length > ACCOUNTS)

  const dead = await revoked(still)
  const kids = await kidsOf(servers[0])
  const written = [...writer.lines]
  const file = join(tempDir(t), 'store.backup')
  const command = (verb: string, ...more: string[]) => {
    const run = runNode([CLI, 'store', verb, file, ...more], {
      LATCHKEY_CONFIG: servers[0].configFile,
    })
    t.teardown(() => run.stop())
    return run
  }
  const made = await command('backup').ended
  letGo()
  const then = writer.lines.length
  await until(() => writer.lines.length > then + ACCOUNTS / 10)
  await writer.stop()

  const verdicts = keepAsking(still, dead)
  const restoring = command('restore', '--replace')
  const put = await restoring.ended
  const alive = still.sessions.find(session => !dead.has(session))
  await until(
    async () =>
      alive !== undefined && (await still.introspect(alive.accessToken)) === true,
  )
  const wrong = await verdicts.stop()
  await load.stop()

  t.equal(made, 0)
  t.equal(put, 0, restoring.lines.join('\n'))
  const lost = await missing(storeUrl, written)
  const outcomes = await Promise.all(
    still.sessions.map(async session => {
      const became = (await still.refresh(session)) ? 'living' : session.loggedOut
      const expected = dead.has(session) ? '400 invalid_grant' : 'living'
      return became === expected ? 'right' : `${became} instead of ${expected}`
    }),
  )
  figure(t, {
    fault: `${name}: a back-up and its restore beside ${count} running, sessions and accounts being written`,
    figure:
      `${lost.length} of ${written.length} writes to accounts lost; sessions: ${tally(outcomes)}; ` +
      `wrong verdicts meanwhile: ${tally(wrong)}`,
    mustShow: '0 lost, all sessions right, no wrong verdict, no store accept',
    holds:
      written.length > ACCOUNTS &&
      lost.length === 0 &&
      wrong.length === 0 &&
      outcomes.every(outcome => outcome === 'right'),
  })
  t.same(await kidsOf(servers[0]), kids, 'the keys are the same')
  t.same(fallen(servers), [])
}

/** Ends every other session, and waits for the answer; returns those. */
async function revoked({ sessions, revoke }: Fleet) {
  const ended = sessions.filter((_, index) => index % 2 === 0)
  for (const { refreshToken } of ended) {
    await until(() => revoke(refreshToken))
  }
  return new Set(ended)
}

/** Asks about every session again and again; gives the verdicts that were wrong. */
function keepAsking(
  { sessions, introspect }: Fleet,
  dead: Awaited<ReturnType<typeof revoked>>,
) {
  const stopped = new AbortController()
  const wrong: string[] = []
  const running = sessions.map(async session => {
    while (!stopped.signal.aborted) {
      const active = await introspect(session.accessToken)
      if (active === dead.has(session)) wrong.push(`active: ${active}`)
      await wait(20)
    }
  })
  return {
    async stop() {
      stopped.abort()
      await Promise.all(running)
      return wrong
    },
  }
}

/** Which acknowledged writes of the writer aren't in the store. */
async function missing(url: string, written: readonly string[]): Promise<string[]> {
  const { store } = await openStore({ ...PATIENT, url, clock: Date.now })
  try {
    const lost: string[] = []
    for (const line of written) {
      const [verb, sub = ''] = line.split(' ')
      const user = await store.directory.byName(someAccount(sub).foldedName)
      if (user === undefined || (verb === 'disabled' && !user.disabled)) lost.push(line)
    }
    return lost
  } finally {
    await store.close()
  }
}

async function kidsOf({ url }: LatchkeyProcess): Promise<string[]> {
  const response = await fetch(`${url}/.well-known/jwks.json`)
  const { keys }: { keys: Array<{ kid: string }> } = JSON.parse(await response.text())
  return keys.map(({ kid }) => kid)
}
