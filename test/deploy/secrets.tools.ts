// The chart's secrets: made once where a cluster can be asked for those of before, and nowhere else. A second
// rendering with others would end every session at the next restart, and lock the signing keys.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { PROJECT, run } from './support/commands.ts'

const CHART = join(PROJECT, 'helm/latchkey')
const VALUES = ['config.issuer=https://id.example.com', 'redis.enabled=true']
const NAME = 'release-latchkey'

interface Secret {
  readonly apiVersion: 'v1'
  readonly kind: 'Secret'
  readonly metadata: { readonly name: string }
  readonly data: Readonly<Record<string, string>>
}

const render = (
  values: readonly string[],
  {
    args = [],
    env = {},
  }: { args?: readonly string[]; env?: Record<string, string> } = {},
) =>
  run(
    'helm',
    [
      ...['template', 'release', CHART, '--namespace', 'id', '--kube-version', '1.37.0'],
      ...[...VALUES, ...values].flatMap(value => ['--set', value]),
      ...args,
    ],
    { env: { ...process.env, ...env } },
  )

function secretIn(rendered: string): Secret['data'] {
  const secret = parseAllDocuments(rendered)
    .map(document => document.toJS())
    .find(object => object?.kind === 'Secret')
  return secret.data
}

const decoded = (text = '') => Buffer.from(text, 'base64').toString()

/** What helm asks of a cluster before it renders: a namespace with these Secrets. Gives how to reach it. */
async function startCluster(t: Test, secrets: readonly Secret[]) {
  const answers: Record<string, unknown> = {
    '/api/v1': {
      kind: 'APIResourceList',
      groupVersion: 'v1',
      resources: [
        { name: 'secrets', namespaced: true, kind: 'Secret', verbs: ['get', 'list'] },
      ],
    },
    '/api/v1/namespaces/id/secrets': {
      kind: 'SecretList',
      apiVersion: 'v1',
      metadata: {},
      items: secrets,
    },
  }
  for (const secret of secrets) {
    answers[`/api/v1/namespaces/id/secrets/${secret.metadata.name}`] = secret
  }
  const server = createServer(({ url = '' }, response) => {
    const answer = answers[new URL(url, 'http://cluster').pathname]
    response.writeHead(answer === undefined ? 404 : 200, {
      'content-type': 'application/json',
    })
    response.end(
      JSON.stringify(
        answer ?? { kind: 'Status', apiVersion: 'v1', reason: 'NotFound', code: 404 },
      ),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const dir = t.testdir()
  const file = join(dir, 'kubeconfig.yaml')
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: 'one', cluster: { server: `http://127.0.0.1:${address.port}` } },
      ],
      users: [{ name: 'one', user: {} }],
      contexts: [{ name: 'one', context: { cluster: 'one', user: 'one' } }],
      'current-context': 'one',
    }),
  )
  return {
    args: ['--dry-run=server'],
    env: { KUBECONFIG: file, HELM_CACHE_HOME: join(dir, 'cache') },
  }
}

t.test('without a cluster no secret is made: the chart names what to set', async t => {
  for (const [values, missing] of [
    [[], /set secret\.existingSecret or secret\.value and redis\.password /],
    [
      ['redis.password=onlyATestOnlyATest'],
      /set secret\.existingSecret or secret\.value \(/,
    ],
    [[`secret.value=${'s'.repeat(43)}`], /set redis\.password \(/],
  ] as const) {
    const { code, stdout, stderr } = await render(values)
    t.not(code, 0)
    t.match(stderr, missing)
    t.notMatch(stdout, /kind: Secret/)
  }
})

t.test('with both set, two renderings are the same', async t => {
  const values = ['redis.password=onlyATestOnlyATest', `secret.value=${'s'.repeat(43)}`]
  const [one, other] = [await render(values), await render(values)]
  t.equal(one.code, 0, one.stderr)
  t.equal(one.stdout, other.stdout)
})

t.test('a secret is taken as openssl makes it: base64', async t => {
  const value = `${'+/'.repeat(21)}A=`
  const rendered = await render([
    'redis.password=onlyATestOnlyATest',
    `secret.value=${value}`,
  ])
  t.equal(rendered.code, 0, rendered.stderr)
  t.equal(decoded(secretIn(rendered.stdout)['LATCHKEY_SECRET']), value)
})

t.test('a cluster without a Secret of ours gets one that the server takes', async t => {
  const rendered = await render([], await startCluster(t, []))
  t.equal(rendered.code, 0, rendered.stderr)
  const data = secretIn(rendered.stdout)
  t.match(decoded(data['LATCHKEY_SECRET']), /^[A-Za-z0-9_-]{43}$/)
  t.match(decoded(data['REDIS_PASSWORD']), /^[A-Za-z0-9]{40}$/)
})

t.test('a cluster that has it keeps it', async t => {
  const data = {
    LATCHKEY_SECRET: Buffer.from('k'.repeat(43)).toString('base64'),
    REDIS_PASSWORD: Buffer.from('p'.repeat(40)).toString('base64'),
  }
  const cluster = await startCluster(t, [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: NAME }, data },
  ])
  const rendered = await render([], cluster)
  t.equal(rendered.code, 0, rendered.stderr)
  t.match(secretIn(rendered.stdout), data)
})

const CHECKSUMS: ReadonlyArray<readonly [string, (password: string) => string]> = [
  ['secret', password => `store.url=redis://:${password}@redis:6379/0`],
  // Redis' own pod has to read the new one, too.
  [
    'password',
    password => `redis.enabled=true,redis.password=${password.padEnd(16, 'x')}`,
  ],
]
for (const [name, values] of CHECKSUMS) {
  t.test(`checksum/${name} says no more than whether a password changed`, async t => {
    const checksum = async (password: string, release = 'release') => {
      const { stdout, stderr } = await run('helm', [
        ...['template', release, CHART, '--namespace', 'id', '--kube-version', '1.37.0'],
        ...['--set', VALUES[0] ?? '', '--set', `secret.value=${'s'.repeat(43)}`],
        ...['--set', values(password)],
      ])
      const found = [...stdout.matchAll(/checksum\/(\w+): ([0-9a-f]{64})$/gm)]
      const sum = found.find(([, of]) => of === name)?.[2]
      t.type(sum, 'string', stderr)
      return sum
    }
    const sum = await checksum('weak')
    t.equal(await checksum('weak'), sum, 'the same for the same')
    t.not(await checksum('other'), sum, 'another for another')
    t.not(await checksum('weak', 'another'), sum, 'salted with the release')
  })
}

const NEXT = 'LATCHKEY_SECRET_2'
/** A rotation: each is an upgrade, and the one before is what a rollback brings back. */
const STEPS = [
  ['LATCHKEY_SECRET'],
  ['LATCHKEY_SECRET', NEXT],
  [NEXT, 'LATCHKEY_SECRET'],
  [NEXT],
]

/** What pods are given by a step: the list in the configuration, the variables, and what restarts them. */
async function podsOf(values: readonly string[]) {
  const { code, stdout, stderr } = await render([
    'redis.password=onlyATestOnlyATest',
    ...values,
  ])
  if (code !== 0) throw new Error(stderr)
  const objects = parseAllDocuments(stdout).map(document => document.toJS())
  const of = (kind: string) => objects.find(object => object?.kind === kind)
  const { metadata, spec } = of('Deployment').spec.template
  return {
    secrets: parse(of('ConfigMap').data['latchkey.yaml']).secrets,
    variables: spec.containers[0].env
      .filter(({ name }: { name: string }) => name.startsWith('LATCHKEY_SECRET'))
      .map(({ name, valueFrom }: any) => [name, valueFrom.secretKeyRef]),
    checksum: metadata.annotations['checksum/config'],
  }
}

t.test('a rotation is a step an upgrade, and each one can be taken back', async t => {
  const sums = new Set<string>()
  for (const keys of STEPS) {
    const values = ['secret.existingSecret=mine', `secret.keys={${keys.join()}}`]
    const pods = await podsOf(values)
    t.same(
      pods.secrets,
      keys.map(key => `\${${key}}`),
      'in this order',
    )
    t.same(
      pods.variables,
      keys.map(key => [key, { name: 'mine', key }]),
      'each from its own key of the Secret, which no step changes',
    )
    t.same(await podsOf(values), pods, 'a rollback gives the same pods again')
    sums.add(pods.checksum)
  }
  t.equal(sums.size, STEPS.length, 'each step restarts the pods')
})

t.test('the secret that the chart has made is rotated beside a new value', async t => {
  const kept = { LATCHKEY_SECRET: Buffer.from('k'.repeat(43)).toString('base64') }
  const value = 'n'.repeat(43)
  for (const keys of STEPS.slice(1)) {
    const cluster = await startCluster(t, [
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: NAME }, data: kept },
    ])
    const { code, stdout, stderr } = await render(
      [
        'redis.password=onlyATestOnlyATest',
        `secret.keys={${keys.join()}}`,
        `secret.values.${NEXT}=${value}`,
      ],
      cluster,
    )
    t.equal(code, 0, stderr)
    const data = secretIn(stdout)
    t.match(data, kept, 'the one of before stays')
    t.equal(decoded(data[NEXT]), value)
  }
})
