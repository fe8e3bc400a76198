// `directories` in the configuration: what may stand there.
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { decodeConfig } from '../../src/config/load.ts'

const SECRET = Buffer.alloc(32, 9).toString('base64')

/** The faults of a configuration with these directories. */
function faultsOf(directories: readonly object[], more: object = {}): string[] {
  try {
    decodeConfig({
      issuer: 'https://id.example.com',
      store: { url: 'sqlite:x' },
      secrets: ['x'.repeat(43)],
      directories: directories.map(each => ({
        name: 'app',
        type: 'http',
        url: 'https://app.example.com/login',
        secrets: [SECRET],
        ...each,
      })),
      ...more,
    })
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const CLEAR = { url: 'http://app.example.com/login' }

t.test('what is right is taken', async t => {
  t.same(faultsOf([{}]), [])
  t.same(faultsOf([{ url: 'http://127.0.0.1:8000/login' }]), [], 'loopback')
  t.same(faultsOf([CLEAR], { allowHttp: true }), [])
  t.same(faultsOf([{ lookupUrl: 'https://app.example.com/users' }, { name: 'b' }]), [])
})

t.test('faults name their place', async t => {
  for (const [directories, fault] of [
    [[{}, {}], /^directories\[1\]\.name: expected another name/],
    [[CLEAR], /^directories\[0\]\.url: expected an https URL: passwords are sent/],
    [
      [{ lookupUrl: 'http://app.example.com/users' }],
      /^directories\[0\]\.lookupUrl: expected an https URL/,
    ],
    [[{ url: 'https://me:pw@app.example.com/' }], /a URL without user and password/],
    [[{ url: 'https://:pw@app.example.com/' }], /a URL without user and password/],
    [[{ url: 'https://me@app.example.com/' }], /a URL without user and password/],
  ] as const) {
    const faults = faultsOf(directories)
    t.equal(faults.length, 1, faults.join())
    t.match(faults[0], fault)
    t.notMatch(faults[0], /:pw@/, 'no password in a message')
  }
})
