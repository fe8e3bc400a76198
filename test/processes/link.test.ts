// A server process, as the supervising one sees it.
import t from 'tap'
import { decodeConfig } from '../../src/config/load.ts'
import { createLink, type Served } from '../../src/processes/link.ts'
import type { FromServer } from '../../src/processes/messages.ts'
import { until } from '../support/until.ts'

const config = decodeConfig({
  issuer: 'https://id.example.com',
  store: { url: 'redis://127.0.0.1:6379' },
  secrets: ['s'.repeat(43)],
})

function play(starts: Promise<unknown> = Promise.resolve()) {
  const said: FromServer[] = []
  const did: string[] = []
  let all: Served['ownMetrics'] | undefined
  const link = createLink({
    async send(message) {
      said.push(message)
    },
    async start(given, allMetrics) {
      did.push(`start ${given.issuer}`)
      all = allMetrics
      await starts
      return {
        apply({ issuer }) {
          if (issuer.endsWith('bad')) throw new Error('a template is bad')
          did.push(`apply ${issuer}`)
        },
        reopen: () => did.push('reopen'),
        ownMetrics: async format => `own ${format}`,
        stop: () => did.push('stop'),
      }
    },
    end: () => did.push('end'),
  })
  const scrape = (format: 'text' | 'openmetrics') => all?.(format)
  return { link, said, did, scrape }
}

t.test('one thing after the other, once it has started', async t => {
  const { promise, resolve } = Promise.withResolvers()
  const { link, said, did } = play(promise)
  link({ kind: 'start', config })
  link({ kind: 'apply', config: { ...config, issuer: 'https://next' } })
  link({ kind: 'reopen' })
  link({ kind: 'measure', id: 3 })
  link({ kind: 'ping' })
  t.same(said, [{ kind: 'pong' }], 'it says at once that it is there')
  t.same(did, ['start https://id.example.com'])
  resolve(undefined)
  await until(() => said.length === 4)
  t.same(said.slice(1), [
    { kind: 'ready' },
    { kind: 'applied' },
    { kind: 'metrics', id: 3, text: 'own openmetrics' },
  ])
  t.same(did.slice(1), ['apply https://next', 'reopen'])
  link({ kind: 'stop' })
  t.equal(did.at(-1), 'stop')
})

t.test('it says why it can’t start, ends, and does nothing more', async t => {
  for (const [error, message] of [
    [new Error('the port is taken'), 'the port is taken'],
    ['odd', 'odd'],
  ] as const) {
    const { link, said, did } = play(Promise.reject(error))
    link({ kind: 'start', config })
    link({ kind: 'reopen' })
    await until(() => did.includes('end'))
    t.same(said, [{ kind: 'failed', message }])
    t.notOk(did.includes('reopen'))
  }
})

t.test('a configuration that can’t be taken', async t => {
  const { link, said, did } = play()
  link({ kind: 'start', config })
  link({ kind: 'apply', config: { ...config, issuer: 'https://bad' } })
  await until(() => said.length === 2)
  t.same(said[1], { kind: 'refused', message: 'a template is bad' })
  t.same(did, ['start https://id.example.com'])
})

t.test('a stop before it has started ends it', async t => {
  const { link, did } = play(new Promise(() => {}))
  link({ kind: 'start', config })
  link({ kind: 'stop' })
  t.equal(did.at(-1), 'end')
})

t.test('the metrics of all come from the other side', async t => {
  const { link, said, scrape } = play()
  link({ kind: 'start', config })
  await until(() => said.length === 1)
  const asked = [scrape('text'), scrape('openmetrics')]
  t.same(said.slice(1), [
    { kind: 'scrape', id: 1, format: 'text' },
    { kind: 'scrape', id: 2, format: 'openmetrics' },
  ])
  link({ kind: 'measured', id: 2, text: 'second' })
  link({ kind: 'measured', id: 1, text: 'first' })
  link({ kind: 'measured', id: 9, text: 'nobody asked' })
  t.same(await Promise.all(asked), ['first', 'second'])
})
