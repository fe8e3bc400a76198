// What a start leaves behind is freed, and its compiled modules are kept at once.
import { spawnSync } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { cachedDataVersionTag, getHeapSpaceStatistics } from 'node:v8'
import t from 'tap'
import { keepTickShape, settleHeap } from '../src/settle-heap.ts'
import { ROOT } from './support/python.ts'

const MEBIBYTE = 2 ** 20

t.test('garbage is collected, and V8 goes on with the flags that it had', async t => {
  const tag = cachedDataVersionTag()
  const garbage = new WeakRef({ of: 'the start' })
  await turn()
  settleHeap()
  t.equal(garbage.deref(), undefined)
  t.equal(cachedDataVersionTag(), tag, 'or no cache of modules would be read any more')
})

t.test('an object of process.nextTick is kept, so that V8 knows its shape', async t => {
  const kept = keepTickShape()
  await turn()
  settleHeap()
  t.match(kept(), { callback: Function }, 'as Node makes it for each of them')
})

/** Bytes of memory that the young generation takes, used or not. */
const young = () =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
    ?.physical_space_size ?? NaN

t.test('the room for what is young is given back', async t => {
  // V8 makes it larger when much of what is young outlives a collection.
  const kept = Array.from({ length: 500_000 }, (_, index) => ({ index: [index] }))
  const before = young()
  t.ok(before > 4 * MEBIBYTE, `${before} bytes, with ${kept.length} that live`)
  settleHeap()
  t.ok(young() < 2 * MEBIBYTE, `${young()} bytes`)
})

t.test('compiled modules are kept before the process ends', async t => {
  const program = `import { readdirSync } from 'node:fs'
    import { enableCompileCache } from 'node:module'
    enableCompileCache('cache')
    const { settleHeap } = await import(${JSON.stringify(`${ROOT}/src/settle-heap.ts`)})
    const before = readdirSync('cache', { recursive: true }).length
    settleHeap()
    console.log(before, readdirSync('cache', { recursive: true }).length)`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { cwd: t.testdir(), env: {}, encoding: 'utf8' },
  )
  const [before, after] = stdout.split(' ').map(Number)
  t.equal(before, 1, stderr)
  t.ok(Number(after) > 1, stdout)
})
