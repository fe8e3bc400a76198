// A process of Node's cluster that is played.
import { EventEmitter } from 'node:events'
import t from 'tap'
import { childOf } from '../../src/processes/child.ts'

class Played extends EventEmitter {
  connected = true
  readonly sent: unknown[] = []
  readonly signals: unknown[] = []
  readonly process = {
    pid: 7,
    kill: (signal?: unknown) => this.signals.push(signal) > 0,
  }

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

t.test('it hears, sends and kills', async t => {
  const worker = new Played()
  const heard: unknown[] = []
  const child = childOf(worker, {
    message: message => heard.push(message),
    exit: how => heard.push(how),
  })
  t.equal(child.pid, 7)
  worker.emit('message', { kind: 'up' })
  child.send({ kind: 'ping' })
  child.kill()
  worker.emit('exit', null, 'SIGKILL')
  worker.connected = false
  child.send({ kind: 'stop' })
  t.same(heard, [{ kind: 'up' }, { code: null, signal: 'SIGKILL' }])
  t.same(worker.sent, [{ kind: 'ping' }], 'nothing is sent to one that has gone')
  t.same(worker.signals, ['SIGKILL'])
})
