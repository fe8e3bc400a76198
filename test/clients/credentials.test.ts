// What a client proves, and what its configuration holds, have the same id.
import t from 'tap'
import { credentialId, credentialsOf } from '../../src/clients/credentials.ts'
import { createClientRegistry } from '../../src/clients/registry.ts'
import { CREDENTIAL_LENGTH } from '../../src/stores/ports/status-lists.ts'
import { client, sha256Line } from '../support/app.ts'

const KEY = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }

t.test('each credential of each client has an id of its own', async t => {
  const settings = {
    secrets: ['one', 'two'].map(sha256Line),
    keys: [{ ...KEY, kid: 'k', alg: 'ES256' }],
    jwksUri: 'https://a.example/jwks.json',
  }
  const registry = createClientRegistry([client('a', settings), client('b', settings)])
  const ids = registry.all().flatMap(credentialsOf)
  t.equal(new Set(ids).size, 8)
  for (const id of ids) t.equal(id.length, CREDENTIAL_LENGTH)
  const [a] = registry.all()
  if (a === undefined) throw new Error('no client')
  t.same(credentialsOf(a), [
    ...a.secretHashes.map(secretHash => credentialId(a, { secretHash })),
    // Names of the key don't count.
    credentialId(a, { key: KEY }),
    credentialId(a, { jwksUri: settings.jwksUri }),
  ])
  t.not(credentialId(a, { key: KEY }), credentialId(a, { key: { ...KEY, y: 'z' } }))
})
