// No test process leaves another behind, however it ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { startChild } from './children.ts'
import { startRedis } from './redis.ts'
import { startLatchkey, STORES } from './server.ts'
import { until } from './until.ts'

/** A process that starts all of ours, and one that ends while it lives; it writes their ids, and stays. */
const STARTER = `
import { once } from 'node:events'
const [support] = process.argv.slice(1)
const { startChild, endWithUs, runChild } = await import(support + '/children.ts')
const { startRedis, startSentinel } = await import(support + '/redis.ts')
const { startLatchkey } = await import(support + '/server.ts')
const redis = await startRedis()
const sentinel = await startSentinel(redis.port, 'secret', 'secret')
const latchkey = await startLatchkey({ storeUrl: redis.url })
const ended = startChild('true', [], { stdio: 'ignore' })
await once(ended, 'exit')
const group = startChild('sh', ['-c', 'sleep 600 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] })
const [below] = await once(group.stdout, 'data')
const command = runChild('sleep', ['600'])
const ours = [redis.pid, sentinel.pid, latchkey.pid, group.pid, Number(below), command.child.pid]
console.log(JSON.stringify(ours))
setInterval(() => {}, 60_000)
`

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function startStarter(t: Test) {
  const starter = spawn(
    process.execPath,
    ['--input-type=module', '-e', STARTER, import.meta.dirname],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => starter.kill('SIGKILL'))
  const output = await createInterface(starter.stdout)[Symbol.asyncIterator]().next()
  const pids: number[] = JSON.parse(output.value ?? '[]')
  t.equal(pids.length, 6)
  t.ok(pids.every(isThere), 'all run')
  return { starter, pids }
}

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGALRM'] as const) {
  t.test(`${signal} to a test process ends all that it started`, async t => {
    const { starter, pids } = await startStarter(t)
    starter.kill(signal)
    await once(starter, 'exit')
    await until(() => !pids.some(isThere)).catch(() => {})
    t.strictSame(
      pids.map(isThere),
      pids.map(() => false),
    )
    for (const pid of pids.filter(isThere)) process.kill(pid, 'SIGKILL')
  })
}

t.test(
  'what has ended by itself is left alone, and a command that is missing is named',
  async t => {
    const [store] = STORES
    if (store === undefined) throw new Error('no store')
    const { url, remove } = await store.make()
    const latchkey = await startLatchkey({ storeUrl: url })
    t.equal(await latchkey.stop(), 0)
    await remove()
    const redis = await startRedis()
    await redis.stop()
    t.notOk(isThere(redis.pid))
    const missing = startChild('latchkey-no-such-command', [], { stdio: 'ignore' })
    t.match(await once(missing, 'error'), [{ code: 'ENOENT' }])
  },
)

t.test('every suite starts its processes by these helpers', async t => {
  const free = ['children.ts', 'children.test.ts']
  const starters = [...globSync('test/**/*.ts'), ...globSync('{bench,scripts}/**/*.ts')]
    .filter(file => !free.includes(basename(file)))
    .filter(file => {
      const [, names = ''] =
        /import \{([^}]*)\} from 'node:child_process'/.exec(readFileSync(file, 'utf8')) ??
        []
      // What is run to its end while we wait can't be left behind by a time limit of tap's.
      return /\b(spawn|execFile|exec|fork)\b/.test(names)
    })
    .filter(file => !readFileSync(file, 'utf8').includes('endWithUs('))
  t.strictSame(starters, [])
})
