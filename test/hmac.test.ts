// HMAC-SHA-256 gives what RFC 4231 says, and what node:crypto does.
import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { createHmacSha256 } from '../src/base/hmac.ts'

/** RFC 4231 §4; its case 5 is cut off. */
const VECTORS = [
  {
    name: '1',
    key: Buffer.alloc(20, 0x0b),
    message: Buffer.from('Hi There'),
    digest: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  },
  {
    name: '2: a key that is shorter than the digest',
    key: Buffer.from('Jefe'),
    message: Buffer.from('what do ya want for nothing?'),
    digest: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  },
  {
    name: '3',
    key: Buffer.alloc(20, 0xaa),
    message: Buffer.alloc(50, 0xdd),
    digest: '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  },
  {
    name: '4',
    key: Buffer.from(Array.from({ length: 25 }, (_, index) => index + 1)),
    message: Buffer.alloc(50, 0xcd),
    digest: '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  },
  {
    name: '6: a key that is longer than a block',
    key: Buffer.alloc(131, 0xaa),
    message: Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    digest: '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  },
  {
    name: '7: a message that is longer than a block, too',
    key: Buffer.alloc(131, 0xaa),
    message: Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. ' +
        'The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    digest: '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  },
]

for (const { name, key, message, digest } of VECTORS) {
  t.test(`case ${name}`, async t => {
    const whole = createHmacSha256(createSecretKey(key))
    t.equal(whole(message).toString('hex'), digest)
    t.equal(whole(message).toString('hex'), digest, 'and again')
    const behind = createHmacSha256(createSecretKey(key), message.subarray(0, 3))
    t.equal(behind(message.subarray(3)).toString('hex'), digest, 'behind a prefix')
  })
}

t.test('of any length it is that of node:crypto', async t => {
  for (let length = 1; length < 600; length++) {
    const [key, message] = [createSecretKey(randomBytes(length)), randomBytes(length - 1)]
    const theirs = createHmac('sha256', key).update(message).digest('hex')
    t.equal(createHmacSha256(key)(message).toString('hex'), theirs)
  }
})

t.test('nothing of the key gets into the pool that small buffers share', async t => {
  const key = Buffer.alloc(64, 0xa5)
  const whole = createHmacSha256(createSecretKey(key))
  const { buffer } = Buffer.allocUnsafe(1)
  whole(Buffer.from('a message'))
  const pool = Buffer.from(buffer)
  t.ok(pool.length > 1_000, 'it is a pool')
  for (const pad of [0, 0x36, 0x5c]) {
    t.notOk(pool.includes(Buffer.alloc(16, 0xa5 ^ pad)), `padded by ${pad}`)
  }
})
