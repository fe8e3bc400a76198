// A process of Node's cluster that is played.
import { EventEmitter } from 'node:events'
import t from 'tap'
import { startChild } from '../../src/processes/child.ts'

/** What is used of its ChildProcess. */
class PlayedProcess extends EventEmitter {
  pid: number | undefined = 7
  readonly signals: unknown[] = []
  readonly handed: unknown[] = []
  send?: (...sent: unknown[]) => boolean = (...sent) => this.handed.push(sent) > 0

  kill(signal?: unknown) {
    return this.signals.push(signal) > 0
  }
}

class Played extends EventEmitter {
  connected = true
  readonly sent: unknown[] = []
  readonly process = new PlayedProcess()

  isConnected() {
    return this.connected
  }

  send(message: unknown, ...[done]: unknown[]) {
    this.sent.push(message)
    // As Node reports that the other end has gone.
    if (typeof done === 'function') done(new Error('EPIPE'))
    return false
  }
}

function start(fork: () => Played) {
  const heard: unknown[] = []
  const child = startChild(fork, {
    message: message => heard.push(message),
    exit: how => heard.push(how),
  })
  return { child, heard }
}

t.test('it hears, sends and kills', async t => {
  const worker = new Played()
  const { child, heard } = start(() => worker)
  t.equal(child.pid, 7)
  worker.emit('message', { kind: 'up' })
  child.send({ kind: 'ping' })
  child.kill()
  worker.emit('exit', null, 'SIGKILL')
  worker.connected = false
  child.send({ kind: 'stop' })
  t.same(heard, [{ kind: 'up' }, { code: null, signal: 'SIGKILL' }])
  t.same(worker.sent, [{ kind: 'ping' }], 'nothing is sent to one that has gone')
  t.same(worker.process.signals, ['SIGKILL'])
})

const failed = (message: string) => [
  { kind: 'failed', message },
  { code: null, signal: null },
]

t.test('one that the system doesn’t start has failed and ended', async t => {
  const worker = new Played()
  worker.process.pid = undefined
  worker.connected = false
  const { child, heard } = start(() => worker)
  worker.emit('error', new Error('spawn node EAGAIN'))
  t.same(heard, failed('spawn node EAGAIN'))
  t.equal(child.pid, undefined)
})

t.test('so has one that can’t even be tried', async t => {
  const { child, heard } = start(() => {
    throw new Error('spawn ENOMEM')
  })
  t.same(heard, [], 'whoever starts it has it first')
  child.send({ kind: 'stop' })
  child.kill()
  await Promise.resolve()
  t.same(heard, failed('spawn ENOMEM'))
})

t.test('what fails of one that runs says nothing of its end', async t => {
  const worker = new Played()
  const { heard } = start(() => worker)
  worker.emit('error', new Error('kill EPERM'))
  t.same(heard, [])
})

t.test('a connection that it was handed and never took ends with it', async t => {
  const { process } = new Played()
  const ended: string[] = []
  const handle = (name: string) => ({ close: () => ended.push(name) })
  start(() => Object.assign(new Played(), { process }))
  const sent = [
    [{ act: 'newconn', key: 'public' }, handle('the first')],
    [{ act: 'newconn', key: 'management' }, handle('of the other port')],
    // It has taken the first, or there would be no second.
    [{ act: 'newconn', key: 'public' }, handle('the second')],
    [{ act: 'listening', key: 'public' }, handle('what it listens at')],
    [{ act: 'newconn', key: 'public' }],
    [{ act: 'newconn', key: 'public' }, {}],
    [{ act: 'newconn' }, handle('of no port')],
    [null, handle('of no message')],
    ['ping', () => {}],
  ]
  for (const each of sent) t.equal(process.send?.(...each), true)
  t.same(process.handed, sent, 'all of it is sent')
  process.emit('exit', null, 'SIGKILL')
  t.same(ended, [], 'it may have said that it took them')
  process.emit('close')
  t.same(ended.toSorted(), ['of the other port', 'the second'])
})

t.test('to one that was never started nothing is sent', async t => {
  const worker = new Played()
  delete worker.process.send
  start(() => worker)
  t.equal(Object(worker.process).send({ act: 'newconn', key: 'public' }), false)
})
