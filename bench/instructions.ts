// How many instructions a process executes while something is done: `perf stat`, where the machine has
// counters and lets one read them. Unlike CPU time it doesn't depend on what else runs.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { endWithUs } from '../test/support/children.ts'
import type { Measured } from './child.ts'

/** Resolves to the instructions of the process while the work was done. */
export type Counter = (
  process: Pick<Measured, 'pid'>,
  work: () => Promise<unknown>,
) => Promise<number>

const EVENT = 'instructions'

/** A counter; a text says why there is none. */
export async function openCounter(event = EVENT): Promise<Counter | string> {
  try {
    const { stderr } = await promisify(execFile)('perf', [
      'stat',
      '-x',
      ',',
      '-e',
      event,
      'true',
    ])
    if (!(countIn(stderr) > 0)) return `perf stat says: ${stderr.trim()}`
  } catch (error) {
    return `perf stat does not run here: ${String(error).split('\n')[0]}`
  }
  return (process, work) => count(process.pid, event, work)
}

/** It counts nothing until it is told to, and says so: its own start is nobody's work. */
async function count(
  pid: number,
  event: string,
  work: () => Promise<unknown>,
): Promise<number> {
  const [commands, answers] = [3, 4]
  const perf = endWithUs(
    spawn(
      'perf',
      [
        ...['stat', '-x', ',', '-e', event, '-p', String(pid)],
        ...['--delay', '-1', '--control', `fd:${commands},${answers}`],
      ],
      { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    ),
  )
  const [, , stderr, tell, told] = perf.stdio
  if (!stderr || !tell || !told || !('write' in tell) || !('read' in told)) {
    throw new Error('perf has no pipes')
  }
  let said = ''
  stderr.on('data', text => {
    said += String(text)
  })
  const lines = createInterface({ input: told })[Symbol.asyncIterator]()
  tell.write('enable\n')
  await lines.next()
  await work()
  tell.write('disable\n')
  await lines.next()
  const ended = once(perf, 'close')
  perf.kill('SIGINT')
  await ended
  return countIn(said)
}

/** Not a number where perf has counted nothing. */
function countIn(lines: string): number {
  return Number(/^(\d+),/m.exec(lines)?.[1])
}
