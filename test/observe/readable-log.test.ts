// The log for a person at a terminal.
import t from 'tap'
import { rewriteOf } from '../../src/observe/line-form.ts'
import { readableLine } from '../../src/observe/readable-log.ts'

const AT = new Date(2026, 0, 2, 3, 4, 5).getTime()
const line = (record: Record<string, unknown>) =>
  `${JSON.stringify({ level: 30, time: AT, pid: 1, hostname: 'h', service: 's', ...record })}\n`

t.test('each kind of line is readable', async t => {
  const rows: [name: string, line: string, readable: string][] = [
    [
      'a request',
      line({ reqId: 'r-1', method: 'POST', route: '/token', ms: 1.5, msg: 'answered' }),
      '03:04:05 INFO  answered reqId=r-1 method=POST route=/token ms=1.5',
    ],
    [
      'an audit line',
      line({
        audit: { type: 'login.succeeded', scope: 'a b', roles: ['x'] },
        msg: 'audit',
      }),
      '03:04:05 INFO  audit type=login.succeeded scope="a b" roles=["x"]',
    ],
    [
      'an error, its stack below',
      line({
        level: 50,
        err: { type: 'E', message: '', stack: '    at a\n    at b' },
        msg: 'x',
      }),
      '03:04:05 ERROR x type=E message=""\n    at a\n    at b',
    ],
    [
      'an error without a stack, at a level of somebody else',
      line({ level: 35, err: 'odd', msg: 'x' }),
      '03:04:05 35    x',
    ],
    ['no JSON', 'plain text\n', 'plain text'],
    ['JSON, but no record', '7\n', '7'],
  ]
  for (const [name, given, readable] of rows) t.equal(readableLine(given), readable, name)
})

t.test('nothing in a line moves the cursor or turns the writing round', async t => {
  const evil = '\u001B[2J\u009B\u202E\n'
  const rewrite = rewriteOf(
    { format: 'pretty', times: 'epoch', levels: 'numbers' },
    false,
  )
  const written = [
    rewrite(line({ msg: evil, [`k${evil}`]: evil, err: { stack: evil } })),
    rewrite(evil),
  ]
  t.ok(written.every(text => text.endsWith('\n')))
  t.notMatch(written.join(''), /[\p{Cf}\u009B]|\p{Cc}\[/u)
})
