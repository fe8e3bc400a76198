/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// Who did it: each command that changes something leaves an event with its actor for the audit log of the
// servers, and no other command leaves one.
import { existsSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import t from 'tap'
import { userTag } from '../../src/base/ids.ts'
import { operator } from '../../src/cli/terminal/operator.ts'
import { systemRandom } from '../../src/base/random.ts'
import { createAuditLines } from '../../src/outbox/audit-lines.ts'
import { createEnvelope } from '../../src/outbox/envelope.ts'
import { AuditLine } from '../../src/observe/audit/audit-schema.ts'
import { createKeyRing } from '../../src/keys/ring.ts'
import { createSealer } from '../../src/keys/seal.ts'
import { commandLine, SECRET } from '../support/command-line.ts'
import { signIn } from '../support/stores.ts'

const HOUR = 3_600_000
const PASSWORD = 'correct horse battery staple'

/** Commands in the order in which they are run, and what each of them leaves. */
const CHANGING: ReadonlyArray<
  readonly [verb: string, args: string, event: object, stdin?: string]
> = [
  ['users add', 'alice', { type: 'user.changed', change: 'added' }, PASSWORD],
  ['users set', 'alice --attribute seats=1', { change: 'attributes' }],
  ['users access', 'alice --roles support', { change: 'access' }],
  ['users rename', 'alice ann', { change: 'renamed' }],
  ['users passwd', 'ann', { change: 'password' }, `another ${PASSWORD}`],
  ['users disable', 'ann', { change: 'disabled' }],
  ['users enable', 'ann', { change: 'enabled' }],
  ['users unlock', 'ann', { change: 'unlocked' }],
  ['sessions revoke', 'SID', { type: 'session.ended', sid: 'SID' }],
  ['sessions revoke-all', 'ann', { type: 'user.changed', change: 'sessions_ended' }],
  ['users remove', 'ann --yes', { change: 'removed' }],
  ['users import', 'FILE', { type: 'users.imported', imported: 1 }],
  ['keys rotate', '', { type: 'keys.changed' }],
  ['keys retire', 'KID --yes', { type: 'keys.changed' }],
  ['keys abandon', '--yes', { type: 'keys.changed' }],
  ['store restore', '--replace BACKUP', { type: 'store.restored', replaced: true }],
]

/** Commands that change nothing which a server serves. */
const READING = [
  'users list',
  'users show ann',
  'users name-hash ann',
  'users why ann',
  'users events ann',
  'users export',
  'sessions list ann',
  'clients secret',
  'clients token okta',
  'keys list',
  'keys status',
  'store backup BACKUP',
  'config check',
  'completion bash',
]

/**
 * Those that need what is not here: a PostgreSQL, a terminal, a list of passwords, a user of a directory
 * elsewhere, a token, a store that was lost, a way out for messages, an account that is being deleted, a
 * value that isn't claimed.
 */
const ELSEWHERE = [
  'users claim',
  'users invite',
  'users keep',
  'users adopt',
  'users move',
  'serve',
  'passwords blocklist build',
  'passwords calibrate',
  'token inspect',
  'token verify',
  'store accept',
  'store upgrade',
]

t.test('every command is in one of the lists', async t => {
  const { latchkey } = commandLine(t)
  const { out } = await latchkey('completion bash')
  const paths = [...out.matchAll(/^ {4}" ([a-z -]+)"\)/gm)].map(([, path = '']) => path)
  const verbs = paths.filter(path => !paths.some(other => other.startsWith(`${path} `)))
  const listed = [...CHANGING.map(([verb]) => verb), ...READING, ...ELSEWHERE]
  t.ok(verbs.length > 25, 'there are commands')
  t.same(
    verbs.filter(verb => !listed.some(line => `${line} `.startsWith(`${verb} `))),
    [],
    'a new one is added to a list here',
  )
})

t.test('each change names its actor, for the servers to log', async t => {
  const { latchkey, file, directory, withStore } = commandLine(t, {
    more: ['attributes: { seats: { type: integer } }'],
  })
  const records = join(directory, 'users.jsonl')
  writeFileSync(records, `${JSON.stringify({ name: 'bob', passwordHash: HASH })}\n`)
  const env = { LATCHKEY_CONFIG: file }
  const run = (line: string, stdin?: string) => latchkey(line, stdin, { env })
  const envelope = createEnvelope<string>([SECRET], () => true, 'audit-lines')
  /** What a server finds that comes by now. */
  const takeLines = () =>
    withStore(async ({ outbox }) => {
      const lines: string[] = []
      const parts = { items: outbox, envelope, random: systemRandom }
      await createAuditLines(parts).takeOver(line => lines.push(line))
      return lines
    })
  // As a server makes them at its first start.
  await withStore(async store => {
    const policy = {
      algorithm: 'ES256',
      audienceAlgorithms: [],
      accessTtlMs: HOUR,
    } as const
    const ring = createKeyRing({
      keys: store.keys,
      secrets: [SECRET],
      now: store.now,
      policy: () => ({ ...policy, rotateEveryMs: 2000 * HOUR, publishAheadMs: HOUR }),
      emit() {},
    })
    await ring.load()
  })
  let [sid, kid] = ['', '']
  for (const [verb, args, event, stdin] of CHANGING) {
    if (verb === 'sessions revoke') {
      const [{ sub } = {}] = (await run('users show ann --json')).records
      sid = await withStore(async store => {
        const account = await store.directory.byTag(userTag(String(sub)))
        const { sessionsEpoch = 0 } = account ?? {}
        return (await signIn(store, userTag(String(sub)), { sessionsEpoch })).sid
      })
    }
    if (verb === 'keys retire') {
      kid = String((await run('keys list --json')).records[0]?.['kid'])
    }
    if (verb === 'keys abandon') {
      const lost = createSealer(['l'.repeat(43)])
      await withStore(async store => {
        const ring = await store.keys.load()
        const sealed = ring.keys.map(key => ({
          ...key,
          sealed: lost.seal(key.kid, 'lost'),
        }))
        t.ok(await store.keys.save({ ...ring, keys: sealed }))
      })
    }
    if (verb === 'store restore') {
      t.match(await run(`store backup ${join(directory, 'store.backup')}`), { code: 0 })
    }
    const line = args
      .replace('SID', sid)
      .replace('KID', kid)
      .replace('FILE', records)
      .replace('BACKUP', join(directory, 'store.backup'))
    const ran = await run(`${verb} ${line}`.trim(), stdin)
    t.equal(ran.code, 0, `${verb}: ${ran.err}`)
    const written = await takeLines()
    t.equal(written.length, 1, `${verb} leaves one event`)
    const entry = JSON.parse(written[0] ?? 'null')
    t.ok(Value.Check(AuditLine, entry), `${verb} leaves an audit line`)
    const wanted = { ...event, ...('sid' in event && { sid }), actor: operator() }
    t.match(entry, { hostname: hostname(), audit: wanted }, verb)
    t.equal(ran.err, written[0], 'the operator sees it, too')
  }
  for (const line of READING) {
    await run(line.replace('BACKUP', join(directory, 'other.backup')))
  }
  t.strictSame(await takeLines(), [], 'who only reads leaves none')
  t.ok(existsSync(join(directory, 'other.backup')))
})

const HASH =
  '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$' +
  'Ya+1bCSqYkcNmyT5x5yGHTIPGIRhG3yHyOQpJcIxzjM'
