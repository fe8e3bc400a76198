// Who the audit log names where the command line did something.
import { userInfo } from 'node:os'
import t from 'tap'
import { emitAs } from '../../src/base/events/actor.ts'
import type { Event } from '../../src/base/events/events.ts'
import { operator } from '../../src/cli/terminal/operator.ts'

t.test("the actor is the operating system's user", async t => {
  t.equal(operator(), `cli:${userInfo().username}`)
})

t.test('a user without a name goes by its number, as in a container', async t => {
  const actor = operator(() => {
    throw new Error('ENOENT: no such user')
  })
  t.equal(actor, `cli:${process.getuid?.()}`)
})

t.test('what is done in a request names it', t => {
  const request = { id: 'req-1', headers: {} }
  const origins: unknown[] = []
  const emit = emitAs('client:hr', (_event, origin) => origins.push(origin), request)
  emit({ type: 'user.changed', sub: 'u', change: 'disabled' })
  t.strictSame(origins, [request])
  t.end()
})

t.test('what changes accounts or keys is done by the operator, or whom it names', t => {
  const changed = { type: 'user.changed', sub: 'u', change: 'disabled' } as const
  const keys = { type: 'keys.changed', kids: ['k'] } as const
  const upgraded = { type: 'password.upgraded', sub: 'u' } as const
  const rows: ReadonlyArray<[emitted: Event, written: Event]> = [
    [changed, { ...changed, actor: 'cli:ann' }],
    [
      { ...changed, actor: 'cli:bob' },
      { ...changed, actor: 'cli:bob' },
    ],
    [keys, { ...keys, actor: 'cli:ann' }],
    [upgraded, upgraded],
  ]
  for (const [emitted, written] of rows) {
    const events: Event[] = []
    emitAs('cli:ann', event => events.push(event))(emitted)
    t.strictSame(events, [written], JSON.stringify(emitted))
  }
  t.end()
})
