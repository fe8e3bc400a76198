// SQLite's faults: a process killed at any moment, a full disk, two servers on one file, a damaged file.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import { runNode } from '../support/server.ts'
import { FULL, figure, tally } from './support/figures.ts'
import { startKillable } from './support/killable.ts'
import {
  addUsers,
  audited,
  type Door,
  fallen,
  type Fleet,
  logIn,
  msUntil,
  type Session,
  startServers,
  tokenOf,
} from './support/load.ts'
import { backUpByOldSqlite, readByOldSqlite } from './support/old-sqlite.ts'
import { createRandom, SEED } from './support/random.ts'

const WRITER = new URL('support/user-writer.ts', import.meta.url).pathname
const USERS = Array.from({ length: 8 }, (_, user) => `user-${user % 4}`)

function tempDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-sqlite-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

t.test('kill -9 at random moments, under load', async t => {
  const rounds = FULL ? 100 : 8
  const random = createRandom(SEED)
  const dir = tempDir(t)
  const file = join(dir, 'latchkey.db')
  const storeUrl = `sqlite:${file}`
  await addUsers(storeUrl, 4)
  const server = await startKillable(t, { storeUrl })
  const fleet = await logIn([server], USERS)
  const load = fleet.keepRefreshing()
  t.teardown(() => load.stop())
  const revoking = keepRevoking(t, server)
  const written: string[] = []
  const lost: string[] = []
  const steps = () =>
    fleet.sessions.reduce((sum, session) => sum + tokenOf(session).generation - 1, 0)

  for (let round = 0; round < rounds; round++) {
    const [stepsBefore, revokedBefore] = [steps(), revoking.revoked.length]
    const writer = runNode([WRITER, storeUrl, `round-${round}`], {})
    // Where a machine is slow, too, there is something to lose.
    await msUntil(
      () =>
        writer.lines.length > 5 &&
        steps() - stepsBefore > 20 &&
        revoking.revoked.length > revokedBefore,
      60_000,
    )
    await wait(random() * 500)
    await server.kill()
    writer.signal('SIGKILL')
    await writer.ended
    written.push(...writer.lines)
    lost.push(
      ...whatIsMissing(copyOf(file, join(dir, String(round))), {
        sessions: fleet.sessions,
        revoked: revoking.revoked,
        written,
      }),
    )
    await server.start()
  }
  await Promise.all([load.stop(), revoking.stop()])
  const accepted = await Promise.all(
    revoking.revoked.map(({ accessToken }) => fleet.introspect(accessToken)),
  )
  const loggedOut = fleet.sessions.filter(session => session.loggedOut !== undefined)
  figure(t, {
    fault:
      `SQLite: kill -9 of the server and of a process that writes accounts, ${rounds} times at ` +
      'random moments',
    figure:
      `acknowledged: ${steps()} rotations, ${revoking.revoked.length} revocations, ${written.length} ` +
      `writes of accounts; ${lost.length} ` +
      `lost${lost.length > 0 ? ` (${lost.slice(0, 3).join('; ')})` : ''}; revoked tokens: active ` +
      `${tally(accepted.map(String))}; ${loggedOut.length} logged out`,
    mustShow: '0 lost, every revoked token inactive, 0 logged out',
    holds:
      lost.length === 0 &&
      accepted.every(active => active === false) &&
      loggedOut.length === 0 &&
      steps() > rounds * 20 &&
      revoking.revoked.length >= rounds &&
      written.length > rounds * 5,
  })
  t.same(
    server.processes.flatMap(one => [
      ...audited([one], 'refresh.healed'),
      ...audited([one], 'refresh.reused'),
    ]),
    [],
    'nothing had to be healed',
  )
  t.same(fallen(server.processes), [])
})

// Without this the next test couldn't fail: a reader that heals by itself shows nothing.
t.test('the foreign reader removes the log of who has lost its locks', async t => {
  const file = join(tempDir(t), 'latchkey.db')
  const db = new DatabaseSync(file)
  t.teardown(() => db.close())
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE users (id INTEGER) STRICT')
  await readByOldSqlite(file)
  t.ok(existsSync(`${file}-wal`), 'not of who has them')
  closeSync(openSync(file, 'a'))
  await readByOldSqlite(file)
  t.notOk(existsSync(`${file}-wal`), "this machine's SQLite is older than 3.51")
})

t.test('a foreign reader beside a server under load, then kill -9', async t => {
  const rounds = FULL ? 20 : 5
  const random = createRandom(SEED)
  const dir = tempDir(t)
  const file = join(dir, 'latchkey.db')
  const storeUrl = `sqlite:${file}`
  await addUsers(storeUrl, 4)
  const server = await startKillable(t, { storeUrl })
  const fleet = await logIn([server], USERS)
  const load = fleet.keepRefreshing()
  t.teardown(() => load.stop())
  const revoking = keepRevoking(t, server)
  const lost: string[] = []
  const steps = () =>
    fleet.sessions.reduce((sum, session) => sum + tokenOf(session).generation - 1, 0)

  for (let round = 0; round < rounds; round++) {
    const [stepsBefore, revokedBefore] = [steps(), revoking.revoked.length]
    await readByOldSqlite(file)
    await backUpByOldSqlite(file, join(dir, `back-up-${round}.db`))
    await msUntil(
      () => steps() - stepsBefore > 20 && revoking.revoked.length > revokedBefore,
      60_000,
    )
    await wait(random() * 200)
    await readByOldSqlite(file)
    await wait(random() * 200)
    await server.kill()
    lost.push(
      ...whatIsMissing(copyOf(file, join(dir, String(round))), {
        sessions: fleet.sessions,
        revoked: revoking.revoked,
        written: [],
      }),
    )
    await server.start()
    // What was lost once is lost in every round after it.
    if (lost.length > 0) break
  }
  await Promise.all([load.stop(), revoking.stop()])
  const accepted = await Promise.all(
    revoking.revoked.map(({ accessToken }) => fleet.introspect(accessToken)),
  )
  const loggedOut = fleet.sessions.filter(session => session.loggedOut !== undefined)
  figure(t, {
    fault:
      'SQLite: a foreign reader and a foreign back-up beside a server under load, then kill -9, ' +
      `${rounds} times`,
    figure:
      `acknowledged: ${steps()} rotations, ${revoking.revoked.length} revocations; ${lost.length} ` +
      `lost${lost.length > 0 ? ` (${lost.slice(0, 3).join('; ')})` : ''}; revoked tokens: active ` +
      `${tally(accepted.map(String))}; ${loggedOut.length} logged out`,
    mustShow: '0 lost, every revoked token inactive, 0 logged out',
    holds:
      lost.length === 0 &&
      accepted.every(active => active === false) &&
      loggedOut.length === 0 &&
      steps() > rounds * 20 &&
      revoking.revoked.length >= rounds,
  })
  t.same(fallen(server.processes), [])
})

/** What was said to be revoked, and how: the token itself, or the session by its refresh token. */
interface Revoked extends Session {
  readonly how: 'token' | 'session'
}

/** Logs in and revokes, again and again. */
function keepRevoking(t: Test, door: Door) {
  const revoked: Revoked[] = []
  const stopped = new AbortController()
  async function once(how: Revoked['how']): Promise<void> {
    const fleet = await logIn([door], ['user-0'])
    for (const session of fleet.sessions) {
      if (
        await fleet.revoke(how === 'token' ? session.accessToken : session.refreshToken)
      ) {
        revoked.push({ ...session, how })
      }
    }
  }
  const running = (async () => {
    for (let turn = 0; !stopped.signal.aborted; turn++) {
      await once(turn % 2 === 0 ? 'token' : 'session').catch(() => wait(20))
    }
  })()
  const stop = () => {
    stopped.abort()
    return running
  }
  t.teardown(stop)
  return { revoked, stop }
}

/** Copies a database as it was left, with its write-ahead log. */
function copyOf(file: string, to: string): string {
  mkdirSync(to)
  const copy = join(to, 'copy.db')
  for (const end of ['', '-wal']) {
    if (existsSync(file + end)) copyFileSync(file + end, copy + end)
  }
  return copy
}

interface Acknowledged {
  readonly sessions: readonly Session[]
  readonly revoked: readonly Revoked[]
  readonly written: readonly string[]
}

/** What was acknowledged, and isn't in the file. */
function whatIsMissing(
  file: string,
  { sessions, revoked, written }: Acknowledged,
): string[] {
  const db = new DatabaseSync(file)
  const family = db.prepare(
    'SELECT cur, ended FROM families WHERE user_tag = ? AND sid = ?',
  )
  const familyOf = (session: Session) =>
    family.get(tokenOf(session).userTag, tokenOf(session).sid)
  const token = db.prepare('SELECT 1 FROM revocations WHERE user_tag = ? AND jti = ?')
  const user = db.prepare('SELECT disabled FROM users WHERE tag = ?')
  const missing: string[] = []
  const expect = (there: boolean, what: string) => {
    if (!there) missing.push(what)
  }

  expect(
    db.prepare('PRAGMA integrity_check').get()?.['integrity_check'] === 'ok',
    'the file is damaged',
  )
  for (const session of sessions) {
    expect(
      Number(familyOf(session)?.['cur']) >= tokenOf(session).generation,
      `generation ${tokenOf(session).generation}`,
    )
  }
  for (const session of revoked) {
    const there =
      session.how === 'session'
        ? familyOf(session)?.['ended'] === 1
        : token.get(
            tokenOf(session).userTag,
            String(decodeJwt(session.accessToken).jti),
          ) !== undefined
    expect(there, `a revoked ${session.how}`)
  }
  for (const line of written) {
    const [what, sub = ''] = line.split(' ')
    const row = user.get(userTag(sub))
    expect(row !== undefined && (what === 'added' || row['disabled'] === 1), line)
  }
  db.close()
  return missing
}

t.test('a full disk', async t => {
  const fullMs = FULL ? 30_000 : 5000
  const dir = tempDir(t)
  // The log of writes alone may take 4 MiB, and there must be something to give back.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'latchkey-faults', dir])
  t.teardown(() => {
    execFileSync('umount', ['--lazy', dir])
  })
  const storeUrl = `sqlite:${join(dir, 'latchkey.db')}`
  await addUsers(storeUrl, 4)
  const server = await startKillable(t, { storeUrl })
  const fleet = await logIn([server], USERS)
  const access = fleet.sessions.map(({ accessToken }) => accessToken)
  const before = await logIn([server], ['user-0', 'user-1'])
  const load = fleet.keepRefreshing({ pauseMs: 20 })
  t.teardown(() => load.stop())
  const revoking = keepRevoking(t, server)
  await wait(300)

  fill(join(dir, 'filler'))
  await wait(500)
  const [startedAt, since] = [performance.now(), fleet.answers.length]
  const reads = []
  while (performance.now() - startedAt < fullMs) {
    reads.push(...(await Promise.all(access.map(token => fleet.introspect(token)))))
    await Promise.all(
      before.sessions.map(({ refreshToken }) => before.revoke(refreshToken)),
    )
    await wait(50)
  }
  const during = [...fleet.answers.slice(since), ...before.answers.slice(2)]
  const writes = during.filter(({ path }) => path !== '/introspect')
  const restarted = await restartedOnIt()
  rmSync(join(dir, 'filler'))
  const freedAt = performance.now()
  if (!restarted) await server.start()
  const recovery = await msUntil(() =>
    fleet.answers.some(
      ({ path, status, at }) => path === '/token' && status === 200 && at > freedAt,
    ),
  )
  await wait(500)
  await Promise.all([load.stop(), revoking.stop()])
  const dead = await Promise.all(
    revoking.revoked.map(({ accessToken }) => fleet.introspect(accessToken)),
  )
  const loggedOut = fleet.sessions.filter(session => session.loggedOut !== undefined)

  /** Whether a server that is killed meanwhile comes up again. */
  async function restartedOnIt(): Promise<boolean> {
    await server.kill()
    return server.start().then(
      () => true,
      () => false,
    )
  }

  figure(t, {
    fault: `SQLite: the disk is full for ${fullMs / 1000} s, and the server is killed and started then`,
    figure:
      `writes ${tally(writes.map(({ status }) => status))}; introspection: active ` +
      `${tally(reads.map(String))}; ${loggedOut.length} logged out; the start on the full disk ` +
      `${restarted ? 'works' : 'is refused'}; recovery ${recovery.toFixed(0)} ms; ${dead.length} ` +
      `revoked before: active ${tally(dead.map(String))}`,
    mustShow:
      'writes 503, reads go on, 0 logged out, recovery < 3 s, revoked tokens stay invalid',
    holds:
      writes.length > 50 &&
      writes.every(
        ({ status, error, retryAfter }) =>
          status === 503 && error === 'temporarily_unavailable' && retryAfter !== null,
      ) &&
      reads.length > 0 &&
      reads.every(active => active === true) &&
      loggedOut.length === 0 &&
      recovery < 3000 &&
      dead.length > 0 &&
      dead.every(active => active === false),
  })
  t.ok(
    server.processes[0]?.lines.some(line =>
      line.includes("the disk with SQLite's file is full"),
    ),
    'the log names the reason',
  )
  t.same(fallen(server.processes), [])
})

/** Fills what is left of the disk. */
function fill(file: string): void {
  for (const size of [64 * 1024, 4096]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if (!String(error).includes('ENOSPC')) throw error
    }
  }
}

t.test('two servers on one file', async t => {
  const turns = FULL ? 500 : 20
  const storeUrl = `sqlite:${join(tempDir(t), 'latchkey.db')}`
  const servers = await startServers(t, 2, { storeUrl })
  await addUsers(storeUrl, 4)
  const fleet = await logIn(servers, USERS)
  const [session] = fleet.sessions
  if (session === undefined) throw new Error('no session')
  const copies = Array.from({ length: 200 }, () => ({ ...session }))
  await Promise.all(copies.map(copy => fleet.refresh(copy)))
  const successors = new Set(copies.map(({ refreshToken }) => refreshToken))
  session.refreshToken = copies[0]?.refreshToken ?? ''

  const since = fleet.answers.length
  const load = fleet.keepRefreshing()
  t.teardown(() => load.stop())
  const late = await revokedHereAskedThere(servers, turns)
  await load.stop()
  const answers = fleet.answers.slice(since)
  figure(t, {
    fault:
      'SQLite: two servers on one file; 200 parallel refreshes of one token, then load on both',
    figure:
      `${successors.size} successor; ${answers.length} answers: ` +
      `${tally(answers.map(({ status }) => status))}; revoked here, asked there at once: active ` +
      `${tally(late.map(String))}`,
    mustShow: 'one successor, all 200, a token revoked at one is invalid at the other',
    holds:
      successors.size === 1 &&
      !successors.has(String(fleet.sessions[1]?.refreshToken)) &&
      answers.length > 100 &&
      answers.every(({ status }) => status === 200) &&
      late.length === turns &&
      late.every(active => active === false),
  })
  t.same(audited(servers, 'refresh.reused'), [])
  t.same(fallen(servers), [])
})

async function revokedHereAskedThere(
  servers: readonly Door[],
  turns: number,
): Promise<Array<boolean | undefined>> {
  const verdicts = []
  for (let turn = 0; turn < turns; turn++) {
    const [here, there] = turn % 2 === 0 ? servers : servers.toReversed()
    if (here === undefined || there === undefined) throw new Error('two servers, please')
    const [one, other]: Fleet[] = [
      await logIn([here], ['user-0']),
      await logIn([there], []),
    ]
    const token = String(one?.sessions[0]?.accessToken)
    if (await one?.revoke(token)) verdicts.push(await other?.introspect(token))
  }
  return verdicts
}

t.test('a damaged file', async t => {
  const file = join(tempDir(t), 'latchkey.db')
  const storeUrl = `sqlite:${file}`
  const [server] = await startServers(t, 1, { storeUrl })
  await addUsers(storeUrl, 50)
  await server.stop()
  const sound = readFileSync(file)
  const page = 4096
  const refusals = []
  for (const [name, damaged] of [
    [
      'noise in a page',
      Buffer.concat([
        sound.subarray(0, 4 * page),
        Buffer.alloc(page, 0xa5),
        sound.subarray(5 * page),
      ]),
    ],
    ['cut short', sound.subarray(0, statSync(file).size - 2 * page)],
    ['no database', Buffer.alloc(8192, 'x')],
  ] as const) {
    writeFileSync(file, damaged)
    const refusal = await startServers(t, 1, { storeUrl }).then(() => 'started', String)
    refusals.push({
      name,
      refusal: refusal.split('\n').find(line => line.startsWith('latchkey: ')) ?? refusal,
    })
  }
  figure(t, {
    fault: 'SQLite: the file is damaged (noise in a page, cut short, no database)',
    figure: refusals
      .map(({ name, refusal }) => {
        const isWell = /damaged .*?\)\. Stop every Latchkey/.test(refusal)
        return `${name}: ${isWell ? 'the start is refused and says what to do' : refusal}`
      })
      .join('; '),
    mustShow: 'the start is refused and says what to do',
    holds: refusals.every(
      ({ refusal }) =>
        refusal.includes(`the SQLite file ${file} is damaged`) &&
        refusal.includes('restore a back-up'),
    ),
  })
})
