// The forms in which a line of the log may go out: the same line, under other names.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openAudit } from '../../src/observe/audit/open.ts'
import {
  fileRewriteOf,
  rewriteOf,
  UNCHANGED,
  type LogForm,
} from '../../src/observe/line-form.ts'

const PLAIN: LogForm = { times: 'epoch', levels: 'numbers' }
const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
const HEAD = {
  level: 30,
  time: AT,
  pid: 7,
  hostname: 'h',
  service: 'id',
}
const ECS_HEAD = {
  '@timestamp': '2026-01-02T03:04:05.006Z',
  'log.level': 'info',
  'ecs.version': '8.17.0',
  'process.pid': 7,
  'host.hostname': 'h',
  'service.name': 'id',
}
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const line = (more: object) => `${JSON.stringify({ ...HEAD, ...more })}\n`

t.test('pretty by default on a terminal only, and never in a file', async t => {
  const given = line({ msg: 'answered' })
  t.match(rewriteOf(PLAIN, true)(given), /^\d\d:\d\d:\d\d INFO {2}answered\n$/)
  t.equal(rewriteOf(PLAIN, false), UNCHANGED, 'JSON costs nothing')
  t.equal(rewriteOf(PLAIN, false)(given), given)
  const pretty: LogForm = { ...PLAIN, format: 'pretty' }
  t.match(rewriteOf(pretty, false)(given), 'INFO')
  t.equal(rewriteOf({ ...PLAIN, format: 'json' }, true)(given), given)
  t.equal(fileRewriteOf(pretty), UNCHANGED)
})

t.test('times and levels of JSON, by choice', async t => {
  const given = line({ msg: 'x' })
  const rows: [form: Partial<LogForm>, expected: object][] = [
    [{ times: 'iso' }, { ...HEAD, time: '2026-01-02T03:04:05.006Z', msg: 'x' }],
    [{ levels: 'words' }, { ...HEAD, level: 'info', msg: 'x' }],
    [
      { times: 'iso', levels: 'words' },
      {
        ...HEAD,
        level: 'info',
        time: '2026-01-02T03:04:05.006Z',
        msg: 'x',
      },
    ],
  ]
  for (const [form, expected] of rows) {
    const rewrite = rewriteOf({ ...PLAIN, ...form }, false)
    t.equal(rewrite(given), `${JSON.stringify(expected)}\n`, JSON.stringify(form))
    t.equal(rewrite('no JSON\n'), 'no JSON\n')
    t.equal(rewrite('7\n'), '7\n')
  }
  const words = rewriteOf({ times: 'iso', levels: 'words' }, false)
  t.match(JSON.parse(words(line({ level: 35, time: 'x' }))), { level: '35', time: 'x' })
})

t.test('ECS: each kind of line', async t => {
  const rewrite = rewriteOf({ ...PLAIN, format: 'ecs' }, true)
  const rows: [name: string, given: object, expected: object][] = [
    [
      'a request',
      {
        reqId: 'r',
        method: 'POST',
        route: '/token',
        status: 200,
        ms: 1.5,
        network: '192.0.2.0/24',
        clientId: 'web',
        traceparent: `00-${TRACE}-${SPAN}-01`,
        msg: 'answered',
      },
      {
        ...ECS_HEAD,
        'http.request.id': 'r',
        'http.request.method': 'POST',
        'http.response.status_code': 200,
        'source.address': '192.0.2.0/24',
        message: 'answered',
        'event.duration': 1_500_000,
        'trace.id': TRACE,
        'parent.id': SPAN,
        latchkey: { route: '/token', clientId: 'web' },
      },
    ],
    [
      'an audit event of somebody who was refused',
      {
        audit: {
          type: 'login.failed',
          reason: 'password_wrong',
          sub: 's',
          network: '192.0.2.0/24',
          username: 'u',
        },
        msg: 'audit',
      },
      {
        ...ECS_HEAD,
        message: 'audit',
        'event.kind': 'event',
        'event.outcome': 'failure',
        'event.action': 'login.failed',
        'event.reason': 'password_wrong',
        'user.id': 's',
        'source.address': '192.0.2.0/24',
        latchkey: { username: 'u' },
      },
    ],
    [
      'another audit event',
      { audit: { type: 'keys.changed', kids: ['a'] }, msg: 'audit' },
      {
        ...ECS_HEAD,
        message: 'audit',
        'event.kind': 'event',
        'event.outcome': 'success',
        'event.action': 'keys.changed',
        latchkey: { kids: ['a'] },
      },
    ],
    [
      'an error',
      {
        level: 50,
        err: {
          type: 'E',
          message: '',
          stack: 'at a',
          code: 'X',
          reason: 'y',
        },
        msg: 'x',
      },
      {
        ...ECS_HEAD,
        'log.level': 'error',
        message: 'x',
        'error.type': 'E',
        'error.message': '',
        'error.stack_trace': 'at a',
        'error.code': 'X',
        latchkey: { error: { reason: 'y' } },
      },
    ],
    [
      'names that objects have by themselves',
      { constructor: 'x', msg: 'x' },
      { ...ECS_HEAD, message: 'x', latchkey: { constructor: 'x' } },
    ],
  ]
  for (const [name, given, expected] of rows) {
    const text = rewrite(line(given))
    t.ok(text.endsWith('}\n'))
    t.same(JSON.parse(text), expected, name)
  }
  t.equal(rewrite('no JSON\n'), 'no JSON\n')
})

t.test(
  'the file of audit.to has the form and the service; what it does not take is made anew',
  t => {
    const file = join(t.testdir(), 'audit.log')
    const elsewhere: string[] = []
    const audit = openAudit({
      to: file,
      output: { write: line => elsewhere.push(line) },
      failed() {},
      service: 'id',
      rewrite: fileRewriteOf({ ...PLAIN, format: 'ecs' }),
      clock: () => AT,
    })
    audit.emit({ type: 'password.upgraded', sub: 'x' })
    t.match(JSON.parse(readFileSync(file, 'utf8')), {
      '@timestamp': '2026-01-02T03:04:05.006Z',
      'event.action': 'password.upgraded',
      'service.name': 'id',
    })
    audit.close()
    audit.emit({ type: 'password.upgraded', sub: 'y' })
    t.match(
      elsewhere.map(line => JSON.parse(line)),
      [{ level: 30, time: AT, service: 'id', audit: { sub: 'y' } }],
      'as standard output expects it, which has a form of its own',
    )
    t.end()
  },
)
