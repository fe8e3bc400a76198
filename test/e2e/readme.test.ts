// The README's first user and first client, typed as they stand there, and its five lines of Node.js.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { blocksOf } from '../support/blocks.ts'
import { followReadme } from '../support/readme.ts'

t.test('a first user logs in at a first client, and an API takes the token', async t => {
  const server = await followReadme(t)
  const [first = '', start, curl = '', commands = ''] = blocksOf(
    'README.md',
    'First user, first client',
    'sh',
  )
  const secret = join(server.directory, 'secret')
  const made = readFileSync(secret, 'utf8')
  const [makeSecret = ''] = first.split('\n')
  t.match(makeSecret, /openssl rand/)
  t.equal(server.shell(makeSecret).code, 0)
  t.equal(readFileSync(secret, 'utf8'), made, 'pasted again, it keeps the secret')
  t.equal(statSync(secret).mode & 0o777, 0o600)
  t.equal(start, 'npm start\n')
  const tokens = JSON.parse(server.shell(curl.replace('curl', 'curl -s')).out)
  t.match(tokens, { token_type: 'Bearer', refresh_token: /^rt_/ })

  const [code = ''] = blocksOf('README.md', 'Protect an API', 'js')
  const file = join(server.directory, 'api.mjs')
  writeFileSync(file, server.here(code))
  const { claimsOf } = await import(pathToFileURL(file).href)
  t.match(await claimsOf(tokens.access_token), { client_id: 'web', scope: /orders:read/ })
  const [head, body, signature = ''] = tokens.access_token.split('.')
  const forged = [head, body, signature.split('').toReversed().join('')].join('.')
  await t.rejects(claimsOf(forged))

  const printed = server.shell(`set -e\n${commands}`)
  t.equal(printed.code, 0, printed.err)
  t.match(printed.out, /alice[^]*\bweb\b/)
  const refused = server.shell(`curl -s -d grant_type=refresh_token -d client_id=web \\
    -d refresh_token=${tokens.refresh_token} http://127.0.0.1:3000/token`)
  t.match(refused.out, /invalid_grant/, 'the last of them has ended the session')
})
