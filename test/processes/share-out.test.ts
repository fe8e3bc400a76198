// What each of several processes is given.
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { countOf, shareOut } from '../../src/processes/share-out.ts'
import { planCapacity } from '../../src/users/hashing/capacity.ts'

const GIB = 1024 ** 3
const machine = { cores: 8, hashCores: 7, memoryBytes: 4 * GIB }

const configOf = (sections: object = {}) =>
  parseConfig(
    JSON.stringify({
      issuer: 'https://id.example.com',
      store: { url: 'redis://127.0.0.1:6379' },
      secrets: ['s'.repeat(43)],
      ...sections,
    }),
    {},
  )

t.test('how many there are', async t => {
  t.equal(countOf(configOf(), machine), 1)
  t.equal(countOf(configOf({ processes: 3 }), machine), 3)
  t.equal(countOf(configOf({ processes: 'auto' }), machine), 8)
  for (const processes of [0, 65, 1.5, 'all']) {
    t.throws(
      () => configOf({ processes }),
      /processes: expected auto or a whole number from 1 to 64/,
    )
  }
})

t.test('SQLite has one writer', async t => {
  const store = { url: 'sqlite:./latchkey.db' }
  t.equal(configOf({ store, processes: 1 }).processes, 1)
  for (const processes of [2, 'auto']) {
    t.throws(
      () => configOf({ store, processes }),
      /processes: expected 1 with SQLite, whose file has one writer/,
    )
  }
})

t.test('bounds of a process are shared out, rounded up', async t => {
  const config = configOf({
    store: {
      url: 'redis://127.0.0.1:6379',
      accounts: { url: 'postgres://id@127.0.0.1/id', connections: 8 },
    },
    directories: [
      {
        type: 'http',
        name: 'old',
        url: 'https://old.example.com/verify',
        secrets: ['d'.repeat(43)],
      },
    ],
  })
  t.match(shareOut(config, 3, machine), {
    issuer: config.issuer,
    http: { maxInFlight: 334, maxConnections: 1667, maxConnectionsPerAddress: 334 },
    management: { maxConnections: 67, maxConnectionsPerAddress: 17 },
    passwords: { queue: 22, concurrency: 2 },
    store: { url: config.store.url, accounts: { connections: 3 } },
    directories: [{ connections: 2, maxInFlight: 22 }],
  })
  t.notOk('accounts' in shareOut(configOf(), 2, machine).store)
})

t.test('a part can be sent to another process as it is', async t => {
  const part = shareOut(configOf(), 2, machine)
  t.same(structuredClone(part), part)
})

t.test('together they hash as many as one would, and each at least one', async t => {
  const hashes = (concurrency: unknown, count: number, hashCores: number) =>
    shareOut(configOf({ passwords: { concurrency } }), count, { ...machine, hashCores })
      .passwords.concurrency
  t.equal(hashes('auto', 2, 7), 3)
  t.equal(hashes('auto', 7, 7), 1)
  t.equal(hashes('auto', 8, 8), 1)
  t.equal(hashes('auto', 2, 8), 4)
  t.equal(hashes('auto', 2, 1), 1)
  t.equal(hashes(5, 2, 8), 2)
  t.equal(hashes(2, 2, 8), 1)
  t.throws(() => hashes(1, 2, 8), /1 at once \(concurrency\) can't be shared out among 2/)
})

t.test('memory is shared out, too, and what supervises takes some', async t => {
  const MIB = 1024 ** 2
  const OWN = 144 * MIB
  const SUPERVISOR = 96 * MIB
  for (const [memoryBytes, count, memoryShare] of [
    [GIB, 4, 50],
    [GIB, 4, 75],
    [2 * GIB, 3, 90],
    [4 * GIB, 7, 33],
    [64 * GIB - 1, 64, 90],
  ] as const) {
    const small = { hashCores: 64, memoryBytes }
    const { passwords } = shareOut(configOf({ passwords: { memoryShare } }), count, small)
    // As each of them does, which sees the whole machine.
    const each = planCapacity(passwords, small)
    const all = count * (OWN + each.memoryKiB * 1024) + SUPERVISOR
    t.ok(all <= memoryBytes, `${count} take ${all / MIB} of ${memoryBytes / MIB} MiB`)
    t.equal(each.concurrency, passwords.concurrency)
  }
})

t.test('a hash that just fits fits in each process, too', async t => {
  for (let count = 2; count <= 64; count++) {
    const part = 8_192 + 147_456
    const memoryBytes = (count * part + 98_304) * 1024
    const machine = { hashCores: 64, memoryBytes }
    const config = configOf({ passwords: { memoryKiB: 8_192, memoryShare: 90 } })
    const { passwords } = shareOut(config, count, machine)
    t.match(planCapacity(passwords, machine), { concurrency: 1, memoryKiB: 8_192 })
  }
})

t.test('there may be too little for so many', async t => {
  for (const [memoryBytes, each] of [
    [GIB / 2, 106_496],
    [64 * 1024 ** 2, 0],
  ] as const) {
    t.throws(
      () => shareOut(configOf(), 4, { hashCores: 3, memoryBytes }),
      new RegExp(`of the ${each} KiB that this process may use`),
    )
  }
})
