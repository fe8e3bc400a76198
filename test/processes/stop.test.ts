// A process that is told to end, in a process of its own.
import t from 'tap'
import { runChild } from '../support/children.ts'

const stopModule = new URL('../../src/processes/stop.ts', import.meta.url).href

/** It answers a request a little after it was told to end. */
const PROCESS = `
const { stopWithGrace } = await import(${JSON.stringify(stopModule)})
const parts = new AsyncDisposableStack()
parts.defer(
  () =>
    new Promise(resolve =>
      setImmediate(() => {
        console.log('answered')
        resolve()
      }),
    ),
)
const stop = stopWithGrace({
  stop: () => parts.disposeAsync(),
  withinMs: 600_000,
  log: console,
})
for (let round = 0; round < Number(process.argv[1]); round++) stop()
`

for (const times of [1, 2]) {
  t.test(`told ${times} times, it answers what is in flight, then ends`, async t => {
    const args = ['--input-type=module', '--eval', PROCESS, String(times)]
    const { stdout, stderr } = await runChild(process.execPath, args)
    t.equal(stdout, 'answered\n')
    t.equal(stderr, '')
  })
}
