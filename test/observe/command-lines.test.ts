// A line that a command has left is logged as it is, and counted, in the log or in a file of its own.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openObservers } from '../../src/observe/observers.ts'

const line = (audit: object) =>
  `${JSON.stringify({ level: 30, time: 1, pid: 2, hostname: 'desk', service: 'id', audit, msg: 'audit' })}\n`

const KNOWN = line({
  type: 'user.changed',
  sub: 'a',
  change: 'disabled',
  actor: 'cli:ops',
})
const NEWER = line({ type: 'user.painted', sub: 'a', actor: 'cli:ops' })

for (const isFile of [false, true]) {
  t.test(isFile ? 'a file' : 'the log', async t => {
    const auditTo = isFile ? join(t.testdir({}), 'audit.log') : 'stdout'
    let logged = ''
    await using parts = new AsyncDisposableStack()
    const { logAuditLine, metrics } = await openObservers({
      version: '0.0.0',
      auditTo,
      form: { times: 'epoch', levels: 'numbers', service: 'id' },
      logStream: {
        write(text) {
          logged += text
        },
      },
      clock: systemClock,
      parts,
    })
    logAuditLine(KNOWN)
    logAuditLine(NEWER)
    t.equal(isFile ? readFileSync(auditTo, 'utf8') : logged, KNOWN + NEWER)
    const counts = (await metrics.render())
      .split('\n')
      .filter(text => text.startsWith('latchkey_audit_events_total{'))
    t.strictSame(counts, [
      'latchkey_audit_events_total{type="user.changed",reason="disabled"} 1',
    ])
  })
}
