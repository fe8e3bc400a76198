// What Prometheus' own tools say of us: the metrics of a real server, the rules, and the rules' unit tests.
import t from 'tap'
import { postForm, startLatchkey, STORES, USER, PASSWORD } from '../support/server.ts'
import { run } from './support/commands.ts'

const RULES = 'helm/latchkey/files/alerts.yaml'

t.test('promtool finds nothing to say about /metrics', async t => {
  const store = await STORES[0]?.make()
  t.teardown(() => store?.remove())
  const server = await startLatchkey({ storeUrl: store?.url ?? '' })
  t.teardown(() => server.stop())
  const login = {
    grant_type: 'password',
    client_id: 'mobile',
    username: USER,
    password: PASSWORD,
  }
  t.equal((await postForm(`${server.url}/token`, login)).status, 200)
  t.equal(
    (await postForm(`${server.url}/token`, { ...login, password: 'wrong' })).status,
    400,
  )
  t.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200)
  const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
  t.match(metrics, 'latchkey_grants_total')
  const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], {
    input: metrics,
  })
  t.equal(code, 0)
  t.equal(stdout + stderr, '')
  t.not(
    (
      await run('promtool', ['check', 'metrics'], {
        input: `${metrics}latchkey_grants_total 1 2 3\n`,
      })
    ).code,
    0,
    'it looks',
  )
})

t.test('promtool takes the rules, and each alert fires on its cause alone', async t => {
  const checked = await run('promtool', ['check', 'rules', RULES])
  t.equal(checked.code, 0, checked.stderr)
  t.match(checked.stdout, /SUCCESS: \d+ rules found/)
  const tested = await run('promtool', [
    'test',
    'rules',
    'test/deploy/alerts.rules-test.yaml',
  ])
  t.equal(tested.code, 0, tested.stdout + tested.stderr)
})
