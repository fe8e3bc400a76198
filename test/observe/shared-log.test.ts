// Several processes that write their logs to one pipe, which nobody reads for a while.
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startChild } from '../support/children.ts'
import { until } from '../support/until.ts'

const LINES = 3_000
const OUTPUT = new URL('../../src/observe/log-output.ts', import.meta.url).href

const WRITER = `
import { ANSWERED, createLogOutput } from '${OUTPUT}'
const output = createLogOutput()
process.stderr.write('begun\\n')
for (let line = 0; line < ${LINES}; line++) {
  output.lastMsg = line % 100 === 0 ? 'another' : ANSWERED
  output.write(JSON.stringify({ pid: process.pid, line, more: 'x'.repeat(line % 700) }) + '\\n')
}
output.flush()
`

t.test('every line stays whole, and in its order', async t => {
  const run = '"$0" --input-type=module -e "$1"'
  const child = startChild(
    '/bin/sh',
    ['-c', `(${run} & ${run} & wait) | cat`, process.execPath, WRITER],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', more => {
    said += more
  })
  await until(() => said === 'begun\nbegun\n')
  const lines = (await text(child.stdout)).trimEnd().split('\n')
  t.equal(lines.length, 2 * LINES)
  const next = new Map<number, number>()
  const torn = lines.filter(line => {
    try {
      const { pid, line: number } = JSON.parse(line)
      const expected = next.get(pid) ?? 0
      next.set(pid, expected + 1)
      return number !== expected
    } catch {
      return true
    }
  })
  t.same(torn, [])
})
