// A PKCS#11 token that refuses, hangs, crashes or holds keys that don't fit: what it was asked fails as a
// signer, and the keys of before go on.
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { openToken } from '../../src/keys/external/pkcs11-token.ts'
import { SignerUnavailable } from '../../src/keys/external/key-source.ts'
import { driver, EC, ED, pemOf, RSA, tokenOf } from '../support/pkcs11.ts'
import { until } from '../support/until.ts'

t.test(
  'a token that fails is opened anew; what it was asked meanwhile fails as a signer, not as a verdict',
  async t => {
    const { write, open } = tokenOf(t, [{ label: 'key', pem: EC }])
    const faults: unknown[] = []
    const source = await open({ signMs: 300, openMs: 30_000, intervalMs: 1_000 })
    source.watch(error => faults.push(error))
    const [key] = source.keys()
    const sign = async () =>
      key !== undefined && 'sign' in key.signing
        ? key.signing.sign(Buffer.from('data'))
        : Buffer.alloc(0)
    const causes: [does: string | undefined, cause: RegExp][] = [
      ['refuse', /CKR_FUNCTION_FAILED/],
      ['crash', /ended with 3|no such key/],
      ['hang', /no signature within 300 ms/],
    ]
    const signs = () =>
      sign().then(
        () => true,
        () => false,
      )
    for (const [does, cause] of causes) {
      write([{ label: 'key', pem: EC }])
      await until(signs)
      write([{ label: 'key', pem: EC, ...(does !== undefined && { does }) }])
      await until(async () => {
        const error = await sign().then(
          () => undefined,
          (error: unknown) => error,
        )
        return error instanceof SignerUnavailable && cause.test(String(error.cause))
      })
    }
    write([{ label: 'key', pem: EC }])
    await until(signs)
    t.equal(source.keys()[0], key, 'the same key all the time')
    write([{ label: 'key', pem: EC, does: 'crash' }])
    await until(async () => !(await signs()))
    writeFileSync(tokenOf(t, []).module, 'x')
  },
)

t.test('a token that hangs does not keep its process, nor ours, from ending', async t => {
  const { write, open } = tokenOf(t, [{ label: 'key', pem: EC }])
  const source = await open({ signMs: 300 })
  const [key] = source.keys()
  write([{ label: 'key', pem: EC, does: 'hang' }])
  await t.rejects(
    async () =>
      key !== undefined && 'sign' in key.signing && key.signing.sign(Buffer.from('data')),
    SignerUnavailable,
  )
  write([{ label: 'key', pem: EC }])
  const closing = performance.now()
  await source.close()
  t.ok(performance.now() - closing < 45_000, 'the library hangs for a minute')
})

t.test(
  'a token that fails while nobody watches it fails as a signer, and goes on being tried',
  async t => {
    const { open, module } = tokenOf(t, [{ label: 'key', pem: EC }])
    const source = await open()
    writeFileSync(module, 'no token')
    const [key] = source.keys()
    await t.rejects(
      async () =>
        key !== undefined &&
        'sign' in key.signing &&
        key.signing.sign(Buffer.from('data')),
      SignerUnavailable,
    )
    await source.close()
  },
)

t.test(
  "a key that doesn't fit its public half never signs, those of before go on",
  async t => {
    const other = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
    const otherRsa = pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
    const { write, open, module } = tokenOf(t, [{ label: 'a', pem: EC }])
    const source = await open({ intervalMs: 50, signMs: 50 })
    const faults: unknown[] = []
    source.watch(error => faults.push(error))
    write([
      { label: 'a', pem: EC },
      { label: 'b', pem: other, signsAs: EC },
    ])
    const doesNotFit = /the key b doesn't fit the public key of the same CKA_ID/
    await until(async () =>
      faults.some(fault => doesNotFit.test(String(Object(fault).cause))),
    )
    t.match(source.keys(), [{ name: 'a' }])
    t.equal(source.keys().length, 1)
    const options = { module, token: 'latchkey', pin: '1234', algorithms: ['ES256'] }
    t.throws(() => openToken(driver, options), doesNotFit)
    write([{ label: 'b', pem: other, does: 'refuse' }])
    t.throws(
      () => openToken(driver, options),
      /the key b doesn't sign: .*CKR_FUNCTION_FAILED/,
    )
    write([
      { label: 'a', pem: EC },
      { label: 'somebody else', pem: RSA, signsAs: otherRsa },
    ])
    t.match(
      openToken(driver, options).keys,
      [{ name: 'a' }, { name: 'somebody else' }],
      'only what is asked for is proved',
    )
  },
)

t.test('new keys of a watched token are seen', async t => {
  const { write, open, module } = tokenOf(t, [{ label: 'a', pem: EC }])
  const source = await open({ intervalMs: 50, signMs: 50 })
  const faults: unknown[] = []
  source.watch(error => faults.push(error))
  const before = source.keys()
  write([
    { label: 'a', pem: EC },
    { label: 'b', pem: ED },
  ])
  await until(async () => source.keys().length === 2)
  t.not(source.keys(), before)
  writeFileSync(module, 'no token')
  await until(async () => faults.length > 0)
  t.match(faults[0], { message: 'keys.pkcs11: the token cannot be opened' })
  t.equal(source.keys().length, 2)
})
