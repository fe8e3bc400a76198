// `scim` and `admin` in the configuration: what may stand there, and what changes while a server runs.
import t from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { decodeConfig } from '../../src/config/load.ts'
import { reloadable } from '../../src/config/reload.ts'
import { sha256Line } from '../support/app.ts'

const configWith = (more: object) =>
  decodeConfig({
    issuer: 'https://id.example.com',
    store: { url: 'sqlite:x' },
    secrets: ['x'.repeat(43)],
    ...more,
  })

function faultsOf(more: object): string[] {
  try {
    configWith(more)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const [ONE = '', TWO = '', THREE = ''] = ['one', 'two', 'three'].map(sha256Line)

t.test('without a word of it nobody has a token', async t => {
  const { scim, admin } = configWith({})
  t.strictSame(scim, {
    passwords: true,
    profile: 'lenient',
    tokens: [],
    perClient: { max: 25, window: 1_000 },
    perAddress: { max: 60, window: 60_000 },
  })
  t.strictSame(admin, { roles: {} })
})

t.test('faults name their place', async t => {
  const rows: [more: object, fault: RegExp | undefined][] = [
    [{ scim: { tokens: [{ name: 'okta', hashes: [ONE, TWO] }] } }, undefined],
    [{ admin: { roles: { operator: ['scim', 'admin'] } } }, undefined],
    [{ scim: { tokens: [{ name: 'okta', hashes: [] }] } }, /scim\.tokens\[0\]\.hashes/],
    [
      { scim: { tokens: [{ name: 'okta', hashes: [ONE, TWO, THREE] }] } },
      /scim\.tokens\[0\]\.hashes/,
    ],
    [
      { scim: { tokens: [{ name: 'okta', hashes: ['lks_secret'] }] } },
      /scim\.tokens\[0\]\.hashes\[0\].*latchkey clients token/,
    ],
    [
      {
        scim: {
          tokens: [
            { name: 'okta', hashes: [ONE] },
            { name: 'okta', hashes: [TWO] },
          ],
        },
      },
      /scim\.tokens\[1\]\.name: expected another name than those before it/,
    ],
    [
      {
        scim: {
          tokens: [
            { name: 'okta', hashes: [ONE] },
            { name: 'entra', hashes: [TWO, ONE] },
          ],
        },
      },
      /scim\.tokens\[1\]\.hashes: expected each hash once/,
    ],
    [{ admin: { roles: { operator: ['root'] } } }, /admin\.roles\.operator/],
  ]
  for (const [more, fault] of rows) {
    const found = faultsOf(more)
    if (fault === undefined) t.strictSame(found, [])
    else t.match(found.join('\n'), fault)
    t.notMatch(found.join('\n'), /lks_secret/, 'what may be a token is not said')
  }
})

t.test('it changes while a server runs', async t => {
  const next = configWith({
    scim: { tokens: [{ name: 'okta', hashes: [ONE] }] },
    admin: { roles: { operator: ['admin'] } },
  })
  const { config, needRestart } = reloadable(configWith({}), next)
  t.strictSame(needRestart, [])
  t.strictSame(config.scim.tokens, next.scim.tokens)
  t.strictSame(config.admin, next.admin)
})
