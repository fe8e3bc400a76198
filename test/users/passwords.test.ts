import { availableParallelism } from 'node:os'
import argon2 from 'argon2'
import t from 'tap'
import { checkNewPassword, createPasswordHasher } from '../../src/users/passwords.ts'

const cheap = { memoryKiB: 32, passes: 2, parallelism: 1, concurrency: 2, queue: 64 }
const hasher = createPasswordHasher(cheap)
const SALT = 'c29tZXNhbHRzb21lc2FsdA'
const HASH = 'RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'
const phc = (costs: string, { type = 'argon2id', salt = SALT, hash = HASH } = {}) => `$${type}$v=19$${costs}$${salt}$${hash}`

t.test('a password belongs to its own hash only', async t => {
  const hash = await hasher.hash('correct horse')
  t.match(hash, /^\$argon2id\$v=19\$m=32,t=2,p=1\$/)
  t.ok(await hasher.verify(hash, 'correct horse'))
  t.notOk(await hasher.verify(hash, 'correct horsf'))
  t.not(await hasher.hash('correct horse'), hash, 'each hash has its own salt')
})

t.test('a password is the same from whatever keyboard it comes', async t => {
  t.ok(await hasher.verify(await hasher.hash('caf\u00E9 olé'), 'cafe\u0301 ole\u0301'))
  t.ok(await hasher.verify(await hasher.hash('cafe\u0301 olé'), 'caf\u00E9 olé'))
  t.notOk(await hasher.verify(await hasher.hash('ﬁx it now'), 'fix it now'), 'compatibility characters stay apart')
})

t.test('hashes of other argon2 libraries verify', async t => {
  // phc-winner-argon2's own test vector, cut from test.c: version 0x13, argon2id, t=2, m=256 KiB, p=1
  const reference = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
  t.ok(await hasher.verify(reference, 'password'))
  t.ok(await hasher.verify(reference.replace('m=256,t=2,p=1', 'm=256,p=1,t=2'), 'password'), 'in the order of argon2 0.45')
  t.ok(await hasher.verify(await argon2.hash('password', { type: argon2.argon2i, memoryCost: 32, timeCost: 2, parallelism: 1 }), 'password'))
})

const unusable = [
  { name: 'an empty string', hash: '' },
  { name: 'a bcrypt hash', hash: '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy' },
  { name: 'plain text', hash: 'password' },
  { name: 'an unknown argon2', hash: phc('m=32,t=2,p=1', { type: 'argon2x' }) },
  { name: 'a missing cost', hash: phc('m=32,t=2') },
  { name: 'a repeated cost', hash: phc('m=32,t=2,t=2') },
  { name: 'another repeated cost', hash: phc('p=1,t=2,t=2') },
  { name: 'a cost twice and none of the passes', hash: phc('m=32,p=1,p=1') },
  { name: 'associated data', hash: phc('m=32,t=2,p=1,data=AAAA') },
  { name: 'no passes', hash: phc('m=32,t=0,p=1') },
  { name: 'no lanes', hash: phc('m=32,t=2,p=0') },
  { name: 'too little memory for its lanes', hash: phc('m=15,t=2,p=2') },
  { name: 'a short salt', hash: phc('m=32,t=2,p=1', { salt: 'c29tZQ' }) },
  { name: 'a short hash', hash: phc('m=32,t=2,p=1', { hash: 'c29tZQ' }) },
  { name: 'an endless hash', hash: phc('m=32,t=2,p=1', { hash: 'A'.repeat(100) }) },
  { name: 'a line break', hash: `${phc('m=32,t=2,p=1')}\n` },
]

for (const { name, hash } of unusable) {
  t.test(`a stored hash with ${name} belongs to no password`, async t => {
    t.equal(await hasher.verify(hash, 'password'), false)
    t.equal(hasher.checkForeign(hash), 'hash_unsupported')
    t.equal(hasher.needsUpgrade(hash), true)
  })
}

const hostile = [
  { name: 'memory', hash: phc('m=65537,t=1,p=1') },
  { name: 'far too much memory', hash: phc('m=4194304,t=1,p=1') },
  { name: 'passes', hash: phc('m=32,t=11,p=1') },
  { name: 'lanes', hash: phc('m=1024,t=1,p=17') },
]

for (const { name, hash } of hostile) {
  t.test(`a stored hash that costs too much (${name}) is not computed`, async t => {
    t.equal(hasher.checkForeign(hash), 'hash_too_costly')
    t.equal(await hasher.verify(hash, 'password'), false)
  })
}

t.test('what the configuration asks for is never too costly', async t => {
  const dear = createPasswordHasher({ ...cheap, memoryKiB: 131_072, passes: 12, parallelism: 20 })
  t.equal(dear.checkForeign(phc('m=131072,t=12,p=20')), undefined)
  t.equal(hasher.checkForeign(phc('m=65536,t=3,p=4')), undefined, 'nor is what RFC 9106 recommends')
})

const costs = [
  { name: 'ours', hash: phc('m=32,t=2,p=1'), upgrade: false },
  { name: 'other memory', hash: phc('m=64,t=2,p=1'), upgrade: true },
  { name: 'other passes', hash: phc('m=32,t=3,p=1'), upgrade: true },
  { name: 'other lanes', hash: phc('m=32,t=2,p=2'), upgrade: true },
  { name: 'an older version', hash: phc('m=32,t=2,p=1').replace('v=19', 'v=16'), upgrade: true },
  { name: 'no version', hash: phc('m=32,t=2,p=1').replace('$v=19', ''), upgrade: true },
  { name: 'argon2i at our cost', hash: phc('m=32,t=2,p=1', { type: 'argon2i' }), upgrade: true },
  { name: 'argon2d at our cost', hash: phc('m=32,t=2,p=1', { type: 'argon2d' }), upgrade: true },
]

for (const { name, hash, upgrade } of costs) {
  t.test(`a hash of ${name} is ${upgrade ? '' : 'not '}made anew`, async t => { t.equal(hasher.needsUpgrade(hash), upgrade) })
}

t.test('an argon2i hash is not imported', async t => {
  t.equal(hasher.checkForeign(phc('m=32,t=2,p=1', { type: 'argon2i' })), 'hash_unsupported')
})

t.test('more than the queue holds is a fault that passes', async t => {
  const busy = createPasswordHasher({ ...cheap, concurrency: 1, queue: 2 })
  const waiting = [busy.hash('a'), busy.verifyNothing('b'), busy.verify('no hash', 'c')]
  const full = { name: 'OAuthError', status: 503, code: 'temporarily_unavailable', reason: 'hash_queue_full' }
  await t.rejects(busy.hash('d'), full)
  await t.rejects(busy.verify(phc('m=32,t=2,p=1'), 'd'), full)
  await t.rejects(busy.verify('no hash', 'd'), full, 'also for what would not be computed')
  await t.rejects(busy.verifyNothing('d'), full)
  await Promise.all(waiting)
  t.type(await busy.hash('e'), 'string', 'and then there is room again')
})

t.test('the event loop keeps a core', async t => {
  const auto = createPasswordHasher({ ...cheap, concurrency: 'auto', queue: 0 })
  const cores = Math.max(1, availableParallelism() - 1)
  const outcomes = await Promise.allSettled(Array.from({ length: cores + 2 }, () => auto.verifyNothing('a')))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, cores)
})

t.test('checking against nothing takes the time of a check', async t => {
  const slow = createPasswordHasher({ ...cheap, memoryKiB: 8192, passes: 3 })
  const hash = await slow.hash('password')
  const shortest = async (work: () => Promise<unknown>) => {
    const times: number[] = []
    for (let i = 0; i < 7; i++) {
      const start = performance.now()
      await work()
      times.push(performance.now() - start)
    }
    return Math.min(...times)
  }
  const check = await shortest(() => slow.verify(hash, 'wrong'))
  for (const work of [() => slow.verifyNothing('wrong'), () => slow.verify('no hash', 'wrong'), () => slow.verify(phc('m=999999,t=1,p=1'), 'wrong')]) {
    const nothing = await shortest(work)
    t.ok(nothing > check / 2 && nothing < check * 2, `${nothing} against ${check} ms`)
  }
})

const rules = { minLength: 8, name: 'Annabelle' }
const newPasswords = [
  { name: 'a good one', password: 'correct horse', fault: undefined },
  { name: 'the least length', password: '12345678', fault: undefined },
  { name: 'every kind of blank', password: 'tab\tand \u00A0more', fault: undefined },
  { name: 'signs of the form encoding', password: 'a+b%20&c=d', fault: undefined },
  { name: 'emoji', password: '🔑'.repeat(8), fault: undefined },
  { name: 'too few characters', password: '1234567', fault: 'password_too_short' },
  { name: 'too few emoji', password: '🔑'.repeat(7), fault: 'password_too_short' },
  { name: 'too few once composed', password: 'e\u0301'.repeat(7), fault: 'password_too_short' },
  { name: 'nothing', password: '', fault: 'password_too_short' },
  { name: '256 bytes', password: 'a'.repeat(256), fault: undefined },
  { name: '257 bytes', password: 'a'.repeat(257), fault: 'password_too_long' },
  { name: '257 bytes of UTF-8', password: 'é'.repeat(128) + 'a', fault: 'password_too_long' },
  { name: 'the name', password: 'Annabelle', fault: 'password_is_name' },
  { name: 'the name in another case and width', password: 'ａNNABELLE', fault: 'password_is_name' },
  { name: 'more than the name', password: 'Annabelle1', fault: undefined },
  { name: 'a line break', password: 'correct\nhorse', fault: 'password_malformed' },
  { name: 'a carriage return', password: 'correct horse\r', fault: 'password_malformed' },
  { name: 'NUL', password: 'correct\0horse', fault: 'password_malformed' },
  { name: 'DEL', password: 'correct\x7Fhorse', fault: 'password_malformed' },
  { name: 'a noncharacter', password: 'correct\uFFFFhorse', fault: 'password_malformed' },
  { name: 'a lone surrogate', password: 'correct\uD800horse', fault: 'password_malformed' },
]

for (const { name, password, fault } of newPasswords) {
  t.test(`a new password of ${name}: ${fault ?? 'good'}`, async t => { t.equal(checkNewPassword(password, rules), fault) })
}

t.test('a password is not compared with a name that nobody can have', async t => {
  t.equal(checkNewPassword('not a name', { minLength: 8, name: 'not a name' }), undefined)
})
