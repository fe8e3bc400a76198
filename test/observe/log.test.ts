// What a fault leaves in the log: enough to find the line, and nothing that a driver or a caller may have put into its message.
import t from 'tap'
import { logOptions } from '../../src/observe/log.ts'

t.test('an error is logged by its type, code and frames, never by its message', async t => {
  const { err } = logOptions('info').serializers
  const fault = Object.assign(new TypeError('canary\nin two lines'), { code: 'ECONNRESET' })
  t.match(err(fault), { type: 'TypeError', message: '', code: 'ECONNRESET', stack: /^ +at .*log\.test\.ts/ })
  t.notMatch(JSON.stringify(err(fault)), 'canary')
  fault.stack = `TypeError: canary\n${'    at somewhere (file.js:1:1)\n'.repeat(20)}`
  t.equal(err(fault).stack.split('\n').length, 8, 'a deep stack is cut')
  delete fault.stack
  t.strictSame(err(fault), { type: 'TypeError', message: '', stack: '', code: 'ECONNRESET' })
  t.strictSame(err('canary'), { type: 'string', message: '', stack: '' }, 'anything can be thrown')
  t.strictSame(logOptions('info').serializers.req(), {}, 'a request is logged by its route alone')
})
