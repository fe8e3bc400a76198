// SCIM as software sees it that nobody here wrote: the compliance check of scim2-tester, and scim2-cli,
// against the real process on both stores.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { python, runPython } from '../support/python.ts'
import { sha256Line, startLatchkey, STORES } from '../support/server.ts'

const TOKEN = `lks_${'t'.repeat(43)}`
const interpreter = await python()

const CONFIG = {
  scim: {
    tokens: [{ name: 'tester', hashes: [sha256Line(TOKEN)] }],
    perClient: { max: 100_000, window: '1s' },
  },
  attributes: {
    email: { unique: true },
    name: {},
    given_name: {},
    family_name: {},
    phone_number: {},
    nickname: {},
    locale: {},
    tenant: { type: 'string' },
    seats: { type: 'integer' },
    beta: { type: 'boolean' },
  },
}

/** Where the check asks for what the RFCs don't, each with the clause. */
const DIFFERENT: readonly RegExp[] = [
  // It adds a value where one is, and expects the one before to be gone; RFC 7644 §3.5.2.1 appends.
  /^check_add_attribute: PATCH modify\(\) returned unexpected value for '[^']+:scopes'/,
  // Without a value `active` has its default (RFC 7644 §3.5.2.2): an account may log in or not.
  /^check_remove_attribute: PATCH modify\(\) did not remove attribute 'active'/,
]

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const server = await startLatchkey({ storeUrl: store.url, config: CONFIG })
    t.teardown(() => server.stop())
    const env = { SCIM_URL: `${server.managementUrl}/scim/v2`, SCIM_TOKEN: TOKEN }

    t.test('scim2-tester finds nothing amiss', async t => {
      const checks = await runPython(
        interpreter,
        'test/interop/python/scim_tester.py',
        env,
      )
      t.ok(checks.length > 80, 'it has looked')
      const found = checks
        .filter(({ status }: { status: string }) => status !== 'SUCCESS')
        .map(({ title, reason }: Record<string, string>) => `${title}: ${reason}`)
      for (const text of found) {
        t.ok(
          DIFFERENT.some(each => each.test(text)),
          text,
        )
      }
      t.equal(found.length, DIFFERENT.length)
    })

    t.test('scim2-cli keeps a user and a group', async t => {
      const scim = (...args: string[]) => {
        const { stdout, stderr, status } = spawnSync(
          interpreter.replace(/python$/, 'scim2'),
          args,
          {
            input: '',
            encoding: 'utf8',
            env: {
              PATH: process.env['PATH'],
              SCIM_CLI_URL: env.SCIM_URL,
              SCIM_CLI_HEADERS: `Authorization: Bearer ${TOKEN}`,
            },
            timeout: 60_000,
          },
        )
        t.equal(status, 0, stderr)
        return stdout.trim() === '' ? undefined : JSON.parse(stdout)
      }
      const user = scim('create', 'user', '--user-name', 'cli')
      t.match(user, { userName: 'cli', active: true })
      t.match(scim('query', 'user', user.id), { id: user.id })
      const group = scim('create', 'group', '--display-name', 'cli-group')
      t.match(group, { displayName: 'cli-group' })
      t.match(scim('query', 'group'), { totalResults: 1 })
      scim('delete', 'group', group.id)
      scim('delete', 'user', user.id)
      t.match(scim('query', 'group'), { totalResults: 0 })
    })
  })
}
