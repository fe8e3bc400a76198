// The OpenAPI document before those who read it: a linter, and two generators of clients, whose clients then
// ask the server that it describes.
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  API_SECRET,
  buildTestApp,
  client,
  CLIENTS,
  ORDERS,
  PASSWORD,
  sha256Line,
} from '../support/app.ts'
import { runChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'

const SOURCE = join(import.meta.dirname, 'openapi')
const MINUTES = 60_000

const { PATH = '', HOME, NODE_EXTRA_CA_CERTS } = process.env
const issuer = `http://127.0.0.1:${await freePort()}`
const { app, close } = await buildTestApp({ issuer })
t.teardown(close)
await app.listen({ host: '127.0.0.1', port: Number(new URL(issuer).port) })
const document = (await app.inject('/openapi.json')).body

const OPS = client('ops', {
  secrets: [sha256Line('ops-secret')],
  grants: ['client_credentials'],
  scopes: ['admin.read', 'scim.read'],
  audience: [],
})

/** A folder with the document, what reads it, and how to start one of its programs there. */
async function folderWith(t: Test) {
  const folder = t.testdir({})
  await cp(SOURCE, folder, { recursive: true })
  await writeFile(join(folder, 'openapi.json'), document)
  return {
    folder,
    async run(command: string, ...args: readonly string[]): Promise<string> {
      const { stdout } = await runChild(command, [...args], {
        cwd: folder,
        timeout: 10 * MINUTES,
        env: {
          PATH,
          HOME,
          // A registry may have a certificate of the house.
          NODE_EXTRA_CA_CERTS,
          PYTHONPATH: folder,
          REDOCLY_TELEMETRY: 'off',
          REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
          ISSUER: issuer,
          AUDIENCE: ORDERS,
          PASSWORD,
          SECRET: API_SECRET,
        },
      }).catch(error => {
        throw new Error(`${command} ${args.join(' ')}: ${error.stdout}${error.stderr}`)
      })
      return String(stdout)
    },
  }
}

t.test('the document is clean, and a typed client of TypeScript calls by it', async t => {
  const { run } = await folderWith(t)
  const bin = (name: string) => join('node_modules/.bin', name)
  await run('npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts')
  // It fails at the first warning.
  await run(bin('redocly'), 'lint', 'openapi.json')
  await run(bin('openapi-typescript'), 'openapi.json', '-o', 'latchkey.ts')
  const check =
    '--noEmit --allowJs --checkJs --allowImportingTsExtensions --strict --skipLibCheck'
  const target = '--target ES2022 --module nodenext'
  await run(bin('tsc'), ...`${check} ${target}`.split(' '), 'call.js')
  t.same(JSON.parse(await run(process.execPath, 'call.js')), [
    'Bearer',
    'invalid_grant',
    true,
  ])
})

for (const path of ['/admin/v1', '/scim/v2']) {
  t.test(`the document of ${path} is clean`, async t => {
    const server = await buildTestApp({ clients: [...CLIENTS, OPS] })
    t.teardown(server.close)
    const params = { grant_type: 'client_credentials', client_id: 'ops' }
    const answer = await server.post('/token', { ...params, client_secret: 'ops-secret' })
    const { body } = await server.management.inject({
      url: `${path}/openapi.json`,
      headers: { authorization: `Bearer ${answer.json().access_token}` },
    })
    const { folder, run } = await folderWith(t)
    await writeFile(join(folder, 'openapi.json'), body)
    await run('npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts')
    await run(join('node_modules/.bin', 'redocly'), 'lint', 'openapi.json')
  })
}

t.test('openapi-python-client makes a client of the whole document', async t => {
  const { folder, run } = await folderWith(t)
  await run('python3', '-m', 'venv', 'venv')
  const bin = (name: string) => join(folder, 'venv/bin', name)
  await run(
    bin('python'),
    '-m',
    'pip',
    'install',
    '--quiet',
    '--requirement',
    'requirements.txt',
  )
  await run(
    bin('openapi-python-client'),
    'generate',
    '--fail-on-warning',
    '--meta=none',
    '--config=client.yaml',
    '--path=openapi.json',
    '--output-path=latchkey_client',
  )
  t.match(JSON.parse(await run(bin('python'), 'call.py')), [
    { type: 'TokenResponse', value: { token_type: 'Bearer', expires_in: 600 } },
    { type: 'OAuthError', value: { error: 'invalid_grant' } },
    { type: 'IntrospectionResponse', value: { active: true } },
    { type: 'OAuthError', value: { error: 'invalid_client' } },
  ])
})
