// `store.accounts` in the configuration: what may stand there.
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { decodeConfig } from '../../src/config/load.ts'

const URL = 'postgres://latchkey@db.example.com/latchkey'

/** The configuration with these accounts, or its faults. */
function read(accounts: object) {
  try {
    return decodeConfig({
      issuer: 'https://id.example.com',
      store: { url: 'sqlite:x', accounts: { url: URL, ...accounts } },
      secrets: ['x'.repeat(43)],
    }).store.accounts
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

t.test('what is right is taken, with its defaults', async t => {
  t.same(read({}), { url: URL, plaintext: false, connections: 8, timeout: 2_000 })
  t.match(read({ passwordFile: '/x', plaintext: true, timeout: '500ms' }), {
    timeout: 500,
  })
  t.match(read({ url: 'postgresql://a:b%20c@[::1]:6432/d', caFile: '/ca.pem' }), {
    caFile: '/ca.pem',
  })
})

t.test('what is wrong is named', async t => {
  for (const [given, named] of [
    [{ url: 'mysql://a@b/c' }, /store\.accounts\.url: expected postgres:\/\//],
    [{ url: 'postgres://db.example.com/latchkey' }, /store\.accounts\.url.*USER@HOST/],
    [{ url: 'postgres://a@b/' }, /store\.accounts\.url.*with nothing behind it/],
    [{ url: 'postgres://a@b,c/d' }, /store\.accounts\.url: expected one host/],
    [{ url: 'postgres://a@b:5432,c:5432/d' }, /store\.accounts\.url: expected one host/],
    [{ url: 'postgres://a@b:port/c' }, /store\.accounts\.url/],
    [{ url: 'postgres://a%zz@b/c' }, /store\.accounts\.url/],
    [{ password: 'a\nb' }, /store\.accounts\.password: expected no line break/],
    [{ password: 'a', passwordFile: 'b' }, /passwordFile: expected no password beside/],
    [{ plaintext: true, caFile: '/ca' }, /store\.accounts\.plaintext/],
    [{ timeout: '1' }, /store\.accounts\.timeout: expected a duration/],
    [{ more: 1 }, /store\.accounts\.more/],
  ] as const) {
    t.match(read(given), named)
  }
})
