// What a fault leaves in the log: enough to find the line, and nothing that a driver or a caller may have put
// into its message.
import fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ANSWERED, createLogOutput } from '../../src/observe/log-output.ts'
import { logOptions } from '../../src/observe/log.ts'

t.test(
  'an error is logged by its type, code and frames, never by its message',
  async t => {
    const { err } = logOptions('info').serializers
    const fault = Object.assign(new TypeError('canary\nin two lines'), {
      code: 'ECONNRESET',
    })
    t.match(err(fault), {
      type: 'TypeError',
      message: '',
      code: 'ECONNRESET',
      stack: /^ +at .*log\.test\.ts/,
    })
    t.notMatch(JSON.stringify(err(fault)), 'canary')
    fault.stack = `TypeError: canary\n${'    at somewhere (file.js:1:1)\n'.repeat(20)}`
    t.equal(err(fault).stack.split('\n').length, 8, 'a deep stack is cut')
    delete fault.stack
    t.strictSame(err(fault), {
      type: 'TypeError',
      message: '',
      stack: '',
      code: 'ECONNRESET',
    })
    t.strictSame(
      err('canary'),
      { type: 'string', message: '', stack: '' },
      'anything can be thrown',
    )
    t.strictSame(
      logOptions('info').serializers.req(),
      {},
      'a request is logged by its route alone',
    )
  },
)

t.test(
  'a line goes out at once, takes those that wait along, and does not wait for the disk',
  async t => {
    const file = join(t.testdir(), 'log')
    const output = createLogOutput(fs.openSync(file, 'w'))
    const syncs = t.capture(fs, 'fsyncSync')
    const write = (line: string, lastMsg: string) =>
      Object.assign(output, { lastMsg }).write(line)
    const written = () => fs.readFileSync(file, 'utf8')
    write('answered\n', ANSWERED)
    t.equal(written(), '')
    write('refused\n', 'refused')
    t.equal(written(), 'answered\nrefused\n')
    write('answered again\n', ANSWERED)
    output.flush()
    t.match(written(), /refused\nanswered again\n$/)
    const long = `${'x'.repeat(100_000)}\n`
    write('answered\n', ANSWERED)
    write(long, 'refused')
    t.ok(written().endsWith(`again\nanswered\n${long}`), 'however long it is')
    t.equal(syncs().length, 0)
  },
)
