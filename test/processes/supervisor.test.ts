// Server processes that are played: what the supervising process does about each of their ways.
import t, { type Test } from 'tap'
import { decodeConfig } from '../../src/config/load.ts'
import type { FromServer, ToServer } from '../../src/processes/messages.ts'
import type { Child, ChildEvents, Exit } from '../../src/processes/ports.ts'
import { createSupervisor } from '../../src/processes/supervisor.ts'
import { until } from '../support/until.ts'

const config = decodeConfig({
  issuer: 'https://id.example.com',
  store: { url: 'redis://127.0.0.1:6379' },
  secrets: ['s'.repeat(43)],
})
const other = { ...config, issuer: 'https://other.example.com' }

/** One that does what it is told. */
interface Played extends Child {
  readonly events: ChildEvents
  /** What it was sent, without the pings. */
  readonly told: ToServer['kind'][]
  readonly says: (message: FromServer) => void
  readonly exits: (how?: Partial<Exit>) => void
}

type Answers = (told: ToServer, child: Played) => void

const willing: Answers = (told, child) => {
  if (told.kind === 'start') child.says({ kind: 'ready' })
  if (told.kind === 'apply') child.says({ kind: 'applied' })
  if (told.kind === 'stop') child.exits()
  if (told.kind === 'ping') child.says({ kind: 'pong' })
  if (told.kind === 'measure') {
    child.says({ kind: 'metrics', id: told.id, text: countOf(child.pid) })
  }
}

/** A process has answered as many requests as its number says. */
const countOf = (pid = 0) => `# HELP a What.\n# TYPE a counter\na_total ${pid}\n`

function play({
  count = 2,
  answers = willing,
}: { count?: number; answers?: Answers } = {}) {
  const children: Played[] = []
  const lines: Array<{ readonly message: string; readonly [key: string]: unknown }> = []
  const waits: Array<{ readonly ms: number; readonly go: () => void }> = []
  const replaced: string[] = []
  const world = { now: 0, answers, boots: true }
  const log = (fields: object, message: string) => {
    lines.push({ ...fields, message })
  }
  const supervisor = createSupervisor({
    count,
    fork(events) {
      const child: Played = {
        pid: children.length + 1,
        events,
        told: [],
        says: message => setImmediate(() => events.message(message)),
        exits: how => setImmediate(() => events.exit({ code: 0, signal: null, ...how })),
        send(told) {
          if (told.kind !== 'ping') child.told.push(told.kind)
          world.answers(told, child)
        },
        kill: () => child.exits({ code: null, signal: 'SIGKILL' }),
      }
      children.push(child)
      if (world.boots) child.says({ kind: 'up' })
      return child
    },
    log: { info: log, error: log },
    metrics: {
      countReplaced: reason => {
        replaced.push(reason)
      },
      render: async () => countOf(1000),
    },
    wait: ms =>
      new Promise(resolve => {
        waits.push({ ms, go: () => resolve(undefined) })
      }),
    monotonic: () => world.now,
  })
  const child = (index: number) => {
    const [found] = children.slice(index)
    if (found === undefined) throw new Error(`there is no child ${index}`)
    return found
  }
  return { supervisor, children, child, lines, waits, replaced, world }
}

/** Lets all that is about to be said be said, and answered. */
const turn = async () => {
  for (let round = 0; round < 8; round++) {
    await new Promise(resolve => setImmediate(resolve))
  }
}

t.test('all are ready before it says so', async t => {
  const { supervisor, children, lines } = play({ count: 3 })
  await supervisor.start(config)
  t.equal(children.length, 3)
  t.match(lines, [{ processes: [1, 2, 3], message: 'the server processes are ready' }])
})

t.test('the first that can’t start says why, once, and none is left', async t => {
  const failing: Answers = (told, child) => {
    if (told.kind !== 'start' || child.pid !== 2) return
    child.says({ kind: 'failed', message: 'the port is taken' })
    child.exits({ code: 1 })
  }
  const { supervisor, children, lines, waits } = play({ answers: failing })
  await t.rejects(supervisor.start(config), { message: 'the port is taken' })
  t.equal(children.length, 2)
  t.same(lines, [])
  t.same(waits, [], 'nothing is started again')
})

t.test('one that ends without a word is named', async t => {
  for (const [how, says] of [
    [{ code: 7 }, 'the server process 1 ended (exit code 7)'],
    [{ code: null, signal: 'SIGSEGV' }, 'the server process 1 ended (SIGSEGV)'],
  ] as const) {
    const { supervisor } = play({
      count: 1,
      answers: (told, child) => told.kind === 'start' && child.exits(how),
    })
    await t.rejects(supervisor.start(config), { message: says })
  }
})

t.test('each replacement waits twice as long, until one was sound', async t => {
  const { supervisor, child, children, lines, waits, replaced, world } = play()
  await supervisor.start(config)
  const endNewest = async () => {
    child(children.length - 1).exits({ code: 1 })
    await turn()
    waits.at(-1)?.go()
    await turn()
    return waits.at(-1)?.ms
  }
  t.equal(await endNewest(), 250)
  t.equal(await endNewest(), 500)
  t.equal(await endNewest(), 1_000)
  for (let more = 0; more < 6; more++) await endNewest()
  t.equal(await endNewest(), 30_000)
  world.now += 60_000
  t.equal(await endNewest(), 250)
  t.equal(await endNewest(), 250)
  t.equal(await endNewest(), 500)
  t.same([...new Set(replaced)], ['ended'])
  t.match(lines[1], {
    ended: 2,
    code: 1,
    signal: null,
    reason: 'ended',
    waitMs: 250,
    message: 'a server process has ended and is replaced; what it was answering is lost',
  })
  t.equal(children.length, 2 + waits.length)
})

t.test('one that can’t start again is tried again, and says why', async t => {
  const { supervisor, child, lines, waits, world } = play()
  await supervisor.start(config)
  world.answers = (told, child) => {
    if (told.kind !== 'start') return
    child.says({ kind: 'failed', message: 'the store is away' })
    child.exits({ code: 1 })
  }
  child(0).exits({ code: 1 })
  await turn()
  waits[0]?.go()
  await until(() => waits.length === 2)
  t.match(lines.at(-1), { ended: 3, fault: 'the store is away', waitMs: 500 })
})

t.test('one that answers no question for half a minute is ended', async t => {
  const { supervisor, child, lines, replaced, world } = play()
  await supervisor.start(config)
  const ping = async (times: number) => {
    for (let round = 0; round < times; round++) {
      supervisor.ping()
      await turn()
    }
  }
  await ping(20)
  t.same(replaced, [], 'those that answer stay')
  world.answers = (told, child) => {
    if (child.pid !== 2) willing(told, child)
  }
  await ping(6)
  t.same(replaced, [])
  await ping(1)
  t.same(replaced, ['hung'])
  t.match(lines.at(-1), { ended: 2, signal: 'SIGKILL', reason: 'hung' })
  t.notOk(child(0).told.includes('stop'))
})

async function reloaded(t: Test, answers: Answers) {
  const played = play()
  await played.supervisor.start(config)
  played.world.answers = answers
  await played.supervisor.apply(other)
  t.same(played.child(0).told, ['start', 'apply'])
  return played
}

t.test('a reload is over when all have taken it', async t => {
  const { replaced } = await reloaded(t, willing)
  t.same(replaced, [])
})

t.test('one that can’t take what others have taken is replaced', async t => {
  const { child, lines, replaced, waits } = await reloaded(t, (told, child) => {
    if (told.kind === 'apply' && child.pid === 2) {
      child.says({ kind: 'refused', message: 'a template is bad' })
    } else willing(told, child)
  })
  await until(() => waits.length === 1)
  t.same(child(1).told, ['start', 'apply', 'stop'])
  t.same(replaced, ['refused'])
  t.match(lines.at(-1), { reason: 'refused', fault: 'a template is bad' })
})

t.test('one that ends meanwhile holds up no reload', async t => {
  const { replaced } = await reloaded(t, (told, child) => {
    if (child.pid === 2) child.exits({ code: 1 })
    else willing(told, child)
  })
  await turn()
  t.same(replaced, ['ended'])
})

t.test('one that starts during a reload gets the newest', async t => {
  const { supervisor, child, children, waits, world } = play()
  await supervisor.start(config)
  let given: unknown
  world.answers = told => {
    if (told.kind === 'start') given = told.config.issuer
  }
  child(0).exits()
  await turn()
  waits[0]?.go()
  await until(() => children.length === 3)
  world.answers = (told, child) => {
    if (told.kind === 'start') given = told.config.issuer
    willing(told, child)
  }
  await supervisor.apply(other)
  await until(() => child(2).told.length > 0)
  t.equal(given, other.issuer)
})

/** One of two has ended, and its replacement, told to start, has begun to do so and goes no further. */
async function starting() {
  const played = play()
  const { supervisor, child, children, waits, world } = played
  await supervisor.start(config)
  world.answers = (told, child) => {
    if (child.pid !== 3) willing(told, child)
  }
  child(0).exits({ code: 1 })
  await turn()
  waits[0]?.go()
  await until(() => children.at(2)?.told.includes('start') === true)
  return played
}

t.test('one that hangs in its start holds up a reload for half a minute', async t => {
  const { supervisor, child, waits, replaced } = await starting()
  let isOver = false
  const reload = supervisor.apply(other).then(() => {
    isOver = true
  })
  await turn()
  t.notOk(isOver, 'it may still become ready')
  t.same(child(2).told, ['start', 'apply'])
  t.equal(waits[1]?.ms, 30_000)
  waits[1]?.go()
  await turn()
  t.ok(isOver)
  t.same(replaced, ['ended', 'hung'])
  child(2).exits()
  await reload
})

t.test('one that becomes ready meanwhile stays', async t => {
  const { supervisor, child, waits, replaced } = await starting()
  const reload = supervisor.apply(other)
  child(2).says({ kind: 'ready' })
  child(2).says({ kind: 'applied' })
  await reload
  waits[1]?.go()
  await turn()
  t.same(replaced, ['ended'])
})

t.test('one that ends meanwhile is not ended again', async t => {
  const { supervisor, child, waits, replaced } = await starting()
  const reload = supervisor.apply(other)
  child(2).exits({ code: 1 })
  await reload
  waits[1]?.go()
  await turn()
  t.same(replaced, ['ended', 'ended'])
})

t.test('one that answers no question while it starts is ended, too', async t => {
  const { supervisor, replaced } = await starting()
  for (let round = 0; round < 7; round++) {
    supervisor.ping()
    await turn()
  }
  t.same(replaced, ['ended', 'hung'])
})

t.test('the audit log is opened anew by all', async t => {
  const { supervisor, children } = play()
  await supervisor.start(config)
  supervisor.reopen()
  t.same(
    children.map(({ told }) => told),
    [
      ['start', 'reopen'],
      ['start', 'reopen'],
    ],
  )
})

t.test('the metrics of all, those of one that ended among them', async t => {
  const { supervisor, child, world, waits } = play()
  await supervisor.start(config)
  const asked = { kind: 'scrape', id: 5, format: 'text' } as const
  let text = ''
  world.answers = (told, child) => {
    if (told.kind === 'measured') text = told.text
    else willing(told, child)
  }
  const scrape = async () => {
    text = ''
    child(0).says(asked)
    await until(() => text !== '')
    return Number(/a_total (\d+)/.exec(text)?.[1])
  }
  t.equal(await scrape(), 1000 + 1 + 2)
  child(1).exits({ code: 1 })
  await turn()
  t.equal(await scrape(), 1000 + 1 + 2, 'what it had counted stays')
  waits[0]?.go()
  await turn()
  t.equal(await scrape(), 1000 + 1 + 2 + 3)
})

t.test('a stop waits for all, and ends those that don’t', async t => {
  const { supervisor, children } = play()
  await supervisor.start(config)
  await supervisor.stop(60_000)
  t.ok(children.every(({ told }) => told.at(-1) === 'stop'))

  const slow = play()
  await slow.supervisor.start(config)
  slow.world.answers = (told, child) => {
    if (child.pid === 1) willing(told, child)
  }
  await t.rejects(slow.supervisor.stop(1), {
    message: 'a server process did not end as it should',
  })
})

t.test('what was to be replaced isn’t after a stop', async t => {
  const { supervisor, child, children, waits } = play()
  await supervisor.start(config)
  child(0).exits({ code: 1 })
  await turn()
  await supervisor.stop(60_000)
  waits[0]?.go()
  await turn()
  t.equal(children.length, 2)
})

t.test('a stop is told again to one that could not hear it yet', async t => {
  const { supervisor, child, children, waits, world } = play()
  await supervisor.start(config)
  world.boots = false
  world.answers = (told, child) => {
    if (child.pid !== 3) willing(told, child)
  }
  child(0).exits({ code: 1 })
  await turn()
  waits[0]?.go()
  await until(() => children.length === 3)
  const stopped = supervisor.stop(60_000)
  child(2).says({ kind: 'up' })
  await turn()
  t.same(child(2).told, ['stop', 'stop'], 'it is not started')
  child(2).exits({ code: 1 })
  await t.resolves(stopped, 'it had nothing to answer')
})

t.test('what comes of one that has ended is too late', async t => {
  const { supervisor, child, children } = play()
  await supervisor.start(config)
  child(0).exits()
  child(0).says({ kind: 'up' })
  await turn()
  t.same(child(0).told, ['start'])
  t.equal(children.length, 2)
})
