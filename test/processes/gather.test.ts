// Metrics of processes that answer late, or never.
import t from 'tap'
import { createGather } from '../../src/processes/gather.ts'

const counted = (count: number) =>
  `# HELP a What.\n# TYPE a counter\na_total ${count}\n# HELP b What.\n# TYPE b gauge\nb 7\n`
const sumOf = (text: string) => Number(/^a_total (\d+)$/m.exec(text)?.[1])
const own = async () => counted(100)

t.test('one that doesn’t answer in time counts as it did before', async t => {
  const gather = createGather(own, 1)
  const silent = { ask: () => {} }
  t.equal(sumOf(await gather.render([silent], 'text')), 100)
  gather.answered(silent, 1, counted(2))
  t.equal(sumOf(await gather.render([silent], 'text')), 102, 'its late answer counts')
})

t.test('one that ends while it is asked holds nobody up', async t => {
  const gather = createGather(own)
  const quick = {
    ask: (id: number) => {
      gather.answered(quick, id, counted(3))
    },
  }
  t.equal(sumOf(await gather.render([quick], 'text')), 103)
  const dying = {
    ask() {
      gather.ended(dying)
    },
  }
  const text = await gather.render([quick, dying], 'text')
  t.equal(sumOf(text), 103)
  gather.ended(quick)
  const after = await gather.render([], 'openmetrics')
  t.equal(sumOf(after), 103, 'what it had counted stays')
  t.match(after, /^b 7$/m)
})

t.test('what several had counted that have ended', async t => {
  const gather = createGather(async () => '')
  for (const count of [3, 4]) {
    const ending = { ask: () => {} }
    gather.answered(ending, 0, counted(count))
    gather.ended(ending)
  }
  const text = await gather.render([], 'text')
  t.equal(sumOf(text), 7)
  t.notMatch(text, /^b /m)
})
