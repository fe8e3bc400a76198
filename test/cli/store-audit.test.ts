// What an operator does to the whole store is in the audit log.
import { Value } from 'typebox/value'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../src/cli/terminal/operator.ts'
import { AuditLine } from '../../src/observe/audit/audit-schema.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { commandLine } from '../support/command-line.ts'
import { startRedis } from '../support/redis.ts'
import { PASSWORD } from '../support/server.ts'
import { PATIENT, until } from '../support/until.ts'

function auditOf(text: string): unknown[] {
  return text
    .split('\n')
    .filter(line => line.startsWith('{"level":30'))
    .map(line => {
      const entry = JSON.parse(line)
      if (!Value.Check(AuditLine, entry)) throw new Error(`no audit line: ${line}`)
      return entry.audit
    })
}

t.test('a restore says which back-up, what is in it, and what it replaced', async t => {
  const { latchkey, directory, storeUrl } = commandLine(t)
  await latchkey('users add alice', PASSWORD)
  const file = join(directory, 'store.backup')
  t.same(auditOf((await latchkey(`store backup ${file}`)).err), [])
  t.match(await latchkey(`store restore ${file}`), { code: 1 })
  const replaced = await latchkey(`store restore --replace ${file}`)
  const counts = { accounts: 1, sessions: 0, revocations: 0 }
  const audit = { type: 'store.restored', takenAt: Number, ...counts, actor: operator() }
  t.match(replaced, { code: 0 })
  t.match(auditOf(replaced.err), [{ ...audit, replaced: true }])
  const env = { STORE: storeUrl.replace('latchkey.db', 'new.db') }
  const LATCHKEY_CONFIG = join(directory, 'latchkey.yaml')
  const made = await latchkey(`store restore ${file}`, '', {
    env: { ...env, LATCHKEY_CONFIG },
  })
  t.match(auditOf(made.err), [{ ...audit, replaced: false }])
})

t.test('an accepted loss', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const server = await createRedisStore({
    ...PATIENT,
    url: redis.url,
    lossPeriodMs: 3_600_000,
  })
  t.teardown(() => server.close())
  await server.client.flushall()
  await until(() => server.condition().isLost)
  const { latchkey, file } = commandLine(t)
  const env = { LATCHKEY_CONFIG: file, STORE: redis.url }
  const accepted = await latchkey('store accept', '', { env })
  t.match(accepted, { code: 0 })
  t.same(auditOf(accepted.err), [{ type: 'store.accepted', actor: operator() }])
  t.same(auditOf((await latchkey('store accept', '', { env })).err), [], 'once')
})

t.test('a command waits for a Redis that a server would give up', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const admin = await createRedisStore({ ...PATIENT, url: redis.url })
  t.teardown(() => admin.close())
  const { latchkey, file } = commandLine(t)
  const env = { LATCHKEY_CONFIG: file, STORE: redis.url }
  t.match(await latchkey('users add first', PASSWORD, { env }), { code: 0 })
  // Whatever writes waits; a new connection passes.
  await admin.client.call('CLIENT', 'PAUSE', '1000', 'WRITE')
  t.match(await latchkey('users add alice', PASSWORD, { env }), { code: 0 })
})

t.test('a file is brought up when it is opened: nothing is left to upgrade', async t => {
  const { latchkey } = commandLine(t)
  t.match(await latchkey('store upgrade --json'), {
    code: 0,
    records: [{ outcome: 'upgraded', carried: 0 }],
  })
})
