// Foreign hashes, read and verified as they are. hashes.jsonl was made by the real libraries
// (python/make_hashes.py cheap, and spring/Hashes.java cheap); those at the libraries' own costs are made and
// verified anew by moving-in.tools.ts.
import { pbkdf2Sync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { toAdaptedBase64 } from '../../src/users/hashing/formats/adapted-base64.ts'
import { readHash } from '../../src/users/hashing/formats/read.ts'
import { schemeOf } from '../../src/users/hashing/formats/scheme.ts'

interface Fixture {
  readonly name: string
  readonly password: string
  readonly hash: string
}

const TODAY = { memoryKiB: 19_456, passes: 2, parallelism: 1 }
const fixtures: Fixture[] = readFileSync(new URL('hashes.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))

const algorithms: Record<string, string> = {
  'django pbkdf2_sha256': 'pbkdf2-sha256',
  'django pbkdf2_sha1': 'pbkdf2-sha1',
  'django argon2': 'argon2id',
  'django bcrypt_sha256': 'bcrypt-sha256',
  'django bcrypt': 'bcrypt',
  'django scrypt': 'scrypt',
  'werkzeug scrypt': 'scrypt',
  'werkzeug pbkdf2': 'pbkdf2-sha256',
  'werkzeug pbkdf2:sha512': 'pbkdf2-sha512',
  'passlib pbkdf2_sha256': 'pbkdf2-sha256',
  'passlib pbkdf2_sha512': 'pbkdf2-sha512',
  'passlib pbkdf2_sha1': 'pbkdf2-sha1',
  'passlib scrypt': 'scrypt',
  'passlib bcrypt': 'bcrypt',
  'passlib bcrypt 2y': 'bcrypt',
  'passlib bcrypt_sha256': 'bcrypt-sha256',
  'passlib bcrypt_sha256 1': 'bcrypt-sha256',
  'passlib argon2id': 'argon2id',
  'passlib argon2i': 'argon2i',
  'passlib argon2d': 'argon2d',
  'passlib phpass': 'phpass',
  'pwdlib argon2': 'argon2id',
  'pwdlib bcrypt': 'bcrypt',
  'flask-bcrypt': 'bcrypt',
  'flask-bcrypt long passwords': 'bcrypt-sha256',
  'keycloak pbkdf2': 'pbkdf2-sha1',
  'keycloak pbkdf2-sha256': 'pbkdf2-sha256',
  'keycloak pbkdf2-sha512': 'pbkdf2-sha512',
  'supabase bcrypt': 'bcrypt',
  'auth0 bcrypt': 'bcrypt',
  'wordpress bcrypt': 'bcrypt-sha384',
  'spring {bcrypt}': 'bcrypt',
  'spring {pbkdf2}': 'pbkdf2-sha1',
  'spring {pbkdf2@SpringSecurity_v5_8}': 'pbkdf2-sha256',
  'spring {scrypt}': 'scrypt',
  'spring {scrypt@SpringSecurity_v5_8}': 'scrypt',
  'spring {argon2}': 'argon2id',
  'spring {argon2@SpringSecurity_v5_8}': 'argon2id',
}

t.test('every library has its fixture', async t => {
  t.same(
    fixtures.map(({ name }) => name),
    Object.keys(algorithms),
  )
})

for (const { name, password, hash } of fixtures) {
  t.test(`a hash of ${name} verifies`, async t => {
    const stored = readHash(hash, TODAY)
    t.match(schemeOf(hash), { supported: true }, 'its scheme is known by its mark')
    t.match(stored, { algorithm: algorithms[name], bearable: true })
    t.equal(await stored?.verify(password), true)
    t.equal(await stored?.verify(`${password}.`), false)
    t.equal(await stored?.verify(''), false)
    t.equal(readHash(`${hash}\n`, TODAY), undefined, 'the whole text, and nothing else')
    t.equal(readHash(` ${hash}`, TODAY), undefined)
  })
}

// The example in the README of github.com/firebase/scrypt.
const FIREBASE =
  '$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,' +
  'sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$' +
  '42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=='

t.test('a hash that Firebase made verifies', async t => {
  const stored = readHash(FIREBASE, TODAY)
  t.match(stored, { algorithm: 'firebase-scrypt', bearable: true, memoryKiB: 16 * 1024 })
  t.equal(await stored?.verify('user1password'), true)
  t.equal(await stored?.verify('user2password'), false)
  const urlSafe = readHash(FIREBASE.replaceAll('+', '-').replaceAll('/', '_'), TODAY)
  t.equal(await urlSafe?.verify('user1password'), true, 'in either base64')
})

// Made by PHP as wp_hash_password of WordPress 6.8 does (wp-includes/pluggable.php), of `admin`.
const WORDPRESS = '$wp$2y$10$Q1xinFjrZeLWJBvxviIL6u834Fu.evIEFHAUVisQ5O.w9Dm0sMdES'
// The example in phpass's own test.php: WordPress's form before 6.8 (wp-includes/class-phpass.php).
const PHPASS = '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0'

const wordpress = [
  { since: '6.8', hash: WORDPRESS, password: 'admin' },
  { since: '2.5', hash: PHPASS, password: 'test12345' },
  { since: 'phpBB', hash: PHPASS.replace('P', 'H'), password: 'test12345' },
]

for (const { since, hash, password } of wordpress) {
  t.test(`a hash that PHP made for WordPress verifies: ${since}`, async t => {
    const stored = readHash(hash, TODAY)
    t.match(stored, { bearable: true })
    t.equal(await stored?.verify(password), true)
    t.equal(await stored?.verify(` ${password}\r\n`), true, 'PHP trims passwords')
    t.equal(await stored?.verify(`${password}\u00a0`), false, 'of what it calls blank')
    t.equal(await stored?.verify(`${password}.`), false)
    t.equal(await stored?.verify(' '), false)
  })
}

t.test('a hash of phpass gives others their turn', async t => {
  const stored = readHash(PHPASS.replace('9', 'G'), TODAY)
  let turns = 0
  const counting = setInterval(() => {
    turns += 1
  }, 1)
  t.equal(await stored?.verify('another'), false)
  clearInterval(counting)
  t.ok(turns > 2, `${turns} turns of the event loop meanwhile`)
})

// phc-winner-argon2's own test vector, cut from test.c.
const REFERENCE =
  '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'

t.test('argon2 is read in the order of any library', async t => {
  for (const hash of [
    REFERENCE,
    REFERENCE.replace('m=256,t=2,p=1', 'm=256,p=1,t=2'),
    `argon2${REFERENCE}`,
  ]) {
    t.equal(await readHash(hash, TODAY)?.verify('password'), true)
  }
})

t.test('argon2 tells its version', async t => {
  t.match(readHash(REFERENCE, TODAY), { version: 19 })
  t.match(readHash(REFERENCE.replace('v=19', 'v=16'), TODAY), { version: 16 })
  t.match(readHash(REFERENCE.replace('$v=19', ''), TODAY), { version: 16 })
})

t.test('bcrypt looks at 72 bytes, and wraps around nowhere', async t => {
  // Made by Python's bcrypt 4.3 of 72 times a.
  const hash = '$2a$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe'
  const stored = readHash(hash, TODAY)
  for (const length of [72, 73, 255, 256]) {
    t.equal(await stored?.verify('a'.repeat(length)), true, `${length}`)
  }
  t.equal(await stored?.verify('a'.repeat(71)), false)
})

const SALT = 'c29tZXNhbHRzb21lc2FsdA'
const HASH = 'RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'
const phc = (costs: string, { type = 'argon2id', salt = SALT, hash = HASH } = {}) =>
  `$${type}$v=19$${costs}$${salt}$${hash}`
const BCRYPT = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const [HEX, B64] = ['ab'.repeat(32), Buffer.alloc(32, 'a').toString('base64')]
const B64_64 = Buffer.alloc(64, 'a').toString('base64')

const unknown = [
  { name: 'nothing', hash: '' },
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
  { name: 'the bcrypt of a broken library', hash: BCRYPT.replace('2b', '2x') },
  { name: 'too few rounds of bcrypt', hash: BCRYPT.replace('10', '03') },
  { name: 'a short bcrypt', hash: BCRYPT.slice(0, -1) },
  {
    name: "too few rounds of passlib's bcrypt",
    hash: `$bcrypt-sha256$v=2,t=2b,r=3$${'a'.repeat(22)}$${'a'.repeat(31)}`,
  },
  {
    name: "a version of passlib's bcrypt that isn't out",
    hash: `$bcrypt-sha256$v=3,t=2b,r=12$${'a'.repeat(22)}$${'a'.repeat(31)}`,
  },
  { name: "Spring Security's plain password", hash: '{noop}password' },
  { name: "Spring Security's SHA-256", hash: `{SHA-256}${'a'.repeat(64)}` },
  { name: 'another kind of hash than its name says', hash: `{argon2}${BCRYPT}` },
  { name: 'a name within a name', hash: `{bcrypt}{bcrypt}${BCRYPT}` },
  { name: "Spring Security's PBKDF2 cut short", hash: `{pbkdf2}${'ab'.repeat(20)}` },
  {
    name: "Spring Security's scrypt without costs",
    hash: `{scrypt}$${B64_64}$${B64_64}`,
  },
  {
    name: "Spring Security's scrypt of an N of one",
    hash: `{scrypt}$00801$${B64_64}$${B64_64}`,
  },
  { name: "Django's MD5", hash: `md5$salt$${'a'.repeat(32)}` },
  { name: "Django's unusable password", hash: '!abcdefghijklmnop' },
  { name: 'no iterations', hash: `pbkdf2_sha256$0$salt$${B64}` },
  {
    name: "Django's PBKDF2 with a digest that it hasn't",
    hash: `pbkdf2_sha512$10$salt$${B64}`,
  },
  { name: "Werkzeug's PBKDF2 without iterations", hash: `pbkdf2:sha256$salt$${HEX}` },
  { name: "Werkzeug's PBKDF2 with another digest", hash: `pbkdf2:md5:10$salt$${HEX}` },
  {
    name: "passlib's PBKDF2 with another digest",
    hash: `$pbkdf2-sha1$10$c2FsdA$${'A'.repeat(27)}`,
  },
  {
    name: "scrypt's N that is no power of two",
    hash: `scrypt:32767:8:1$salt$${HEX}${HEX}`,
  },
  { name: "scrypt's N of one", hash: `scrypt:1:8:1$salt$${HEX}${HEX}` },
  { name: 'scrypt without blocks', hash: `scrypt$16$salt$0$1$${B64_64}` },
  { name: 'scrypt without lanes', hash: `scrypt$16$salt$8$0$${B64_64}` },
  { name: "Firebase's hash cut short", hash: FIREBASE.slice(0, -24) },
  { name: 'a hash of phpass cut short', hash: PHPASS.slice(0, -1) },
  { name: 'too few rounds of phpass', hash: PHPASS.replace('9', '4') },
  { name: 'more rounds of phpass than it has', hash: PHPASS.replace('9', 'T') },
  { name: 'a digest of phpass with bits too many', hash: `${PHPASS.slice(0, -1)}2` },
  { name: "too few rounds of WordPress's bcrypt", hash: WORDPRESS.replace('10', '03') },
  { name: "the MD5 of WordPress's first years", hash: 'a'.repeat(32) },
]

for (const { name, hash } of unknown) {
  t.test(`not read: ${name}`, async t => {
    t.equal(readHash(hash, TODAY), undefined)
  })
}

const costs = [
  {
    name: "argon2's memory",
    most: phc('m=131072,t=2,p=1'),
    more: phc('m=131073,t=2,p=1'),
  },
  { name: "argon2's passes", most: phc('m=32,t=10,p=1'), more: phc('m=32,t=11,p=1') },
  { name: "argon2's lanes", most: phc('m=1024,t=1,p=16'), more: phc('m=1024,t=1,p=17') },
  {
    name: "bcrypt's rounds",
    most: BCRYPT.replace('10', '14'),
    more: BCRYPT.replace('10', '15'),
  },
  {
    name: "phpass's rounds",
    most: PHPASS.replace('9', 'I'),
    more: PHPASS.replace('9', 'J'),
  },
  {
    name: "the rounds of WordPress's bcrypt",
    most: WORDPRESS.replace('10', '14'),
    more: WORDPRESS.replace('10', '15'),
  },
  {
    name: "PBKDF2's iterations",
    most: `pbkdf2_sha256$2500000$salt$${B64}`,
    more: `pbkdf2_sha256$2500001$salt$${B64}`,
  },
  {
    name: "PBKDF2's iterations with SHA-512",
    most: `pbkdf2:sha512:1000000$salt$${HEX}`,
    more: `pbkdf2:sha512:1000001$salt$${HEX}`,
  },
  {
    name: "PBKDF2's iterations, whatever the output's length",
    most: `$pbkdf2-sha256$2500000$c2FsdA$${'A'.repeat(683)}`,
    more: `$pbkdf2-sha256$2500001$c2FsdA$${'A'.repeat(683)}`,
  },
  {
    name: "scrypt's memory",
    most: `scrypt:131072:8:1$salt$${HEX}${HEX}`,
    more: `scrypt:262144:8:1$salt$${HEX}${HEX}`,
  },
  {
    name: "scrypt's work",
    most: `scrypt$16384$salt$8$16$${B64_64}`,
    more: `scrypt$16384$salt$8$17$${B64_64}`,
  },
  {
    name: "Firebase's memory",
    most: FIREBASE.replace('n=14', 'n=17'),
    more: FIREBASE.replace('n=14', 'n=18'),
  },
]

for (const { name, most, more } of costs) {
  t.test(`there is a most to ${name}`, async t => {
    t.match(readHash(most, TODAY), { bearable: true })
    t.match(readHash(more, TODAY), { bearable: false })
  })
}

t.test('PBKDF2 of any length costs what its first block costs', async t => {
  const [salt, iterations] = [Buffer.alloc(16, 's'), 100_000]
  const hashOf = (bytes: number) => {
    const hash = pbkdf2Sync('password', salt, iterations, bytes, 'sha1')
    return `$pbkdf2$${iterations}$${toAdaptedBase64(salt)}$${toAdaptedBase64(hash)}`
  }
  const [one, ten] = [readHash(hashOf(20), TODAY), readHash(hashOf(200), TODAY)]
  const cpuOf = async (stored: typeof one) => {
    const before = process.cpuUsage()
    t.equal(await stored?.verify('password'), true)
    t.equal(await stored?.verify('another'), false)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  // CPU, not time: others may use this machine as well.
  const [short, long] = [await cpuOf(one), await cpuOf(ten)]
  t.ok(long < 5 * short, `${long} µs of CPU for ten blocks, ${short} for one`)
})

const schemes = [
  { hash: BCRYPT, scheme: '$2b$', supported: true },
  { hash: '$wp$2y$10$abc', scheme: '$wp$', supported: true },
  { hash: '$P$abc', scheme: '$P$', supported: true },
  { hash: '$foo$bar', scheme: '$foo$', supported: false },
  { hash: '{noop}password', scheme: '{noop}', supported: false },
  { hash: 'md5$salt$hash', scheme: 'md5$', supported: false },
  { hash: '$bcrypt-sha256$v=3,t=2b', scheme: '$bcrypt-sha256$', supported: true },
]

t.test('a hash is called by its scheme, and a password by nothing', async t => {
  for (const { hash, ...scheme } of schemes) t.same(schemeOf(hash), scheme, hash)
  for (const password of ['hunter2', 'pa$$word', 'correct$horse', 'me:you', '$', '{}']) {
    t.equal(schemeOf(password), undefined, password)
  }
})

t.test('what the configuration asks for is never too costly', async t => {
  const dear = { memoryKiB: 262_144, passes: 12, parallelism: 20 }
  t.match(readHash(phc('m=262144,t=12,p=20'), dear), { bearable: true })
})
