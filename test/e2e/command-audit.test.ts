// The command line beside running servers, on both stores: what it changes stands in their audit log with its
// actor, once, whichever of them writes it, and whoever runs when it does.
import { copyFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { Value } from 'typebox/value'
import t from 'tap'
import { run } from '../../src/cli/main.ts'
import { operator } from '../../src/cli/terminal/operator.ts'
import { AuditLine } from '../../src/observe/audit/audit-schema.ts'
import {
  PASSWORD,
  startLatchkey,
  STORES,
  type LatchkeyProcess,
} from '../support/server.ts'
import { until } from '../support/until.ts'

/** Commands, and what of each the audit log has. */
const COMMANDS: ReadonlyArray<readonly [line: string, change: string]> = [
  ['users add bob', 'added'],
  ['users access bob --roles support', 'access'],
  ['users rename bob robert', 'renamed'],
  ['users passwd robert', 'password'],
  ['users disable robert', 'disabled'],
  ['users enable robert', 'enabled'],
  ['sessions revoke-all robert', 'sessions_ended'],
  ['users unlock robert', 'unlocked'],
  ['users remove robert --yes', 'removed'],
]
const CHANGES = COMMANDS.map(([, change]) => change)

async function latchkey(LATCHKEY_CONFIG: string, line: string): Promise<void> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const code = await run(line.split(' '), {
    stdin: Readable.from([PASSWORD]),
    stdout,
    stderr,
    env: { LATCHKEY_CONFIG },
    isTTY: false,
  })
  if (code !== 0) throw new Error(`${line}: ${stderr.read()}`)
}

/** What of the command line stands in the audit logs of these servers. */
function audited(servers: readonly LatchkeyProcess[]): AuditLine[] {
  return servers
    .flatMap(({ lines }) => lines.filter(line => line.includes('"actor":"cli:')))
    .map(line => {
      const entry: unknown = JSON.parse(line)
      if (!Value.Check(AuditLine, entry)) throw new Error(`no audit line: ${line}`)
      return entry
    })
    .toSorted((one, other) => one.time - other.time)
}

const changesIn = (lines: readonly AuditLine[]) =>
  lines.map(({ audit }) => ('change' in audit ? audit.change : audit.type))

async function counted({ managementUrl }: LatchkeyProcess, change: string) {
  const metrics = await (await fetch(`${managementUrl}/metrics`)).text()
  const name = `latchkey_audit_events_total{type="user.changed",reason="${change}"}`
  const line = metrics.split('\n').find(text => text.startsWith(name))
  return Number(line?.slice(name.length) ?? 0)
}

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const options = { storeUrl: store.url, secret: 'a'.repeat(43), addUser: false }
    const first = await startLatchkey(options)
    t.teardown(() => first.stop())
    const config = { issuer: first.url }
    const second = await startLatchkey({ ...options, config })
    t.teardown(() => second.stop())
    const servers = [first, second]

    for (const [line] of COMMANDS) await latchkey(first.configFile, line)
    await until(() => audited(servers).length >= CHANGES.length)
    await latchkey(first.configFile, 'keys rotate')
    await until(() => audited(servers).length > CHANGES.length)
    const lines = audited(servers)
    t.strictSame(changesIn(lines), [...CHANGES, 'keys.changed'], 'each is there once')
    for (const line of lines) {
      t.match(line, { hostname: hostname(), audit: { actor: operator() } })
    }
    const counts = await Promise.all(servers.map(server => counted(server, 'disabled')))
    t.equal(
      counts.reduce((sum, count) => sum + count, 0),
      1,
      'it is counted once',
    )

    const file = join(t.testdir({}), 'latchkey.yaml')
    await copyFile(first.configFile, file)
    for (const server of servers) t.equal(await server.stop(), 0)
    await latchkey(file, 'users add eve')
    const third = await startLatchkey({ ...options, config })
    t.teardown(() => third.stop())
    await until(() => audited([third]).length > 0)
    t.strictSame(changesIn(audited([third])), ['added'], 'one that starts later has it')
  })
}
