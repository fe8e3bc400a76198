// What a command's lines come to where the servers' audit log can't have them: none is lost, and it is said.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { createCommandAudit } from '../../src/cli/command-audit.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'

const LOG = { times: 'epoch', levels: 'numbers', service: 'id' } as const
const SUBS = ['a', 'b', 'c']

/** A command that has changed three accounts. */
function command(to: string) {
  const stderr = new PassThrough()
  const io = {
    stdin: Readable.from([]),
    stdout: new PassThrough(),
    stderr,
    env: {},
    isTTY: false,
  }
  const audit = createCommandAudit(io, { audit: { to }, log: LOG })
  for (const sub of SUBS) {
    audit.emit({
      type: 'user.changed',
      sub,
      change: 'enabled',
      actor: 'cli:ops',
    })
  }
  return { ...audit, said: () => String(stderr.read() ?? '') }
}

const subsIn = (text: string) =>
  text
    .split('\n')
    .flatMap(line => (line.startsWith('{') ? JSON.parse(line).audit.sub : []))

t.test('all are handed over', async t => {
  for (const [to, shown] of [
    ['stdout', SUBS],
    ['/nowhere/audit.log', []],
  ] as const) {
    const { handOver, said } = command(to)
    const left: string[] = []
    await handOver(async lines => {
      left.push(...lines)
      return lines.length
    })
    t.strictSame(subsIn(left.join('')), SUBS)
    const text = said()
    t.strictSame(subsIn(text), shown, to)
    t.notMatch(text, 'latchkey:')
  }
})

t.test('a command that changed nothing asks no store', async () => {
  const io = {
    stdin: Readable.from([]),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
    isTTY: false,
  }
  const settings = { audit: { to: 'stdout' }, log: LOG }
  await createCommandAudit(io, settings).handOver(async () => {
    throw new Error('asked')
  })
})

t.test('too many wait already', async t => {
  const { handOver, said } = command('stdout')
  await handOver(async () => 1)
  const text = said()
  t.strictSame(subsIn(text), SUBS)
  t.match(
    text,
    "latchkey: 2 of 3 lines are not in the servers' audit log, they are above " +
      '(too many lines wait already: does a server run?)\n',
  )
})

t.test('the store has gone away since', async t => {
  const gone = async () => {
    throw new StoreUnavailable(undefined, 'no answer')
  }
  const file = join(t.testdir({}), 'audit.log')
  const there = command(file)
  await there.handOver(gone)
  t.strictSame(subsIn(readFileSync(file, 'utf8')), SUBS)
  t.match(
    there.said(),
    `latchkey: 3 of 3 lines are not in the servers' audit log, see ${file} (`,
  )
  for (const to of ['/dev/full', '/nowhere/audit.log']) {
    const { handOver, said } = command(to)
    await handOver(gone)
    t.strictSame(subsIn(said()), SUBS, to)
  }
})
