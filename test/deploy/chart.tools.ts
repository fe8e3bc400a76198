// The chart: what its files of values make; wrong values fail with a message that helps; and the script of
// `helm test` against a real server.
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { parse, parseAllDocuments } from 'yaml'
import { startLatchkey, STORES } from '../support/server.ts'
import { CHART } from './support/chart.ts'
import { PROJECT, run, runWell } from './support/commands.ts'

const ISSUER = ['--set', 'config.issuer=https://id.example.com']
const REDIS = ['--set', 'store.url=redis://redis:6379/0']

const template = (args: readonly string[]) =>
  run('helm', [
    'template',
    'release',
    CHART,
    '--namespace',
    'id',
    '--kube-version',
    '1.37.0',
    ...args,
  ])

async function render(file: string): Promise<any[]> {
  const { code, stdout, stderr } = await template(['--values', join(CHART, 'ci', file)])
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map(document => document.toJS())
    .filter(object => object !== null)
}

t.test(
  "a pod is given the time that its drain and the server's own stop take",
  async t => {
    const grace = async (file: string) =>
      (await render(file)).find(({ kind }) => kind === 'Deployment').spec.template.spec
    t.match(await grace('minimal-values.yaml'), {
      terminationGracePeriodSeconds: 25,
      containers: [{ lifecycle: { preStop: { sleep: { seconds: 10 } } } }],
    })
    t.match(await grace('ports-and-times-values.yaml'), {
      terminationGracePeriodSeconds: 85,
      containers: [{ lifecycle: { preStop: { sleep: { seconds: 20 } } } }],
    })
  },
)

t.test('the values of the documentation render', async t => {
  const file = join(t.testdir(), 'values.yaml')
  await writeFile(file, blockOf('docs/operations.md', '# values.yaml'))
  const { code, stdout, stderr } = await template(['--values', file])
  t.equal(code, 0, stderr)
  const kinds = parseAllDocuments(stdout).map(document => document.toJS()?.kind)
  t.has(new Set(kinds), new Set(['Ingress', 'PrometheusRule', 'ServiceMonitor']))
})

t.test('wrong values fail with a message that helps', async t => {
  const cases: Array<[string, string[], RegExp]> = [
    ['an unknown key', [...ISSUER, ...REDIS, '--set', 'replicas=3'], /replicas/],
    [
      'an unknown key of the configuration',
      [...ISSUER, ...REDIS, '--set', 'config.tokns.accessTtl=5m'],
      /tokns/,
    ],
    [
      'a wrong duration',
      [...ISSUER, ...REDIS, '--set', 'config.tokens.accessTtl=soon'],
      /accessTtl/,
    ],
    [
      'secrets in the configuration',
      [...ISSUER, ...REDIS, '--set', 'config.secrets[0]=x'],
      /secrets/,
    ],
    ['no issuer', REDIS, /config\.issuer is missing.*--set config\.issuer=https/s],
    ['no store', ISSUER, /no store: set store\.url .*redis\.enabled=true/s],
    [
      'two stores',
      [...ISSUER, ...REDIS, '--set', 'redis.enabled=true'],
      /store\.url and redis\.enabled are set/,
    ],
    [
      'SQLite with two replicas',
      [...ISSUER, '--set', 'store.url=sqlite:/data/x.db,persistence.enabled=true'],
      /SQLite.*set replicaCount=1/s,
    ],
    [
      'SQLite with autoscaling',
      [
        ...ISSUER,
        '--set',
        'store.url=sqlite:/data/x.db,persistence.enabled=true,replicaCount=1,autoscaling.enabled=true',
      ],
      /autoscaling\.enabled=false/,
    ],
    [
      'SQLite without a volume',
      [...ISSUER, '--set', 'store.url=sqlite:/data/x.db,replicaCount=1'],
      /set persistence\.enabled=true/,
    ],
    [
      'SQLite beside the volume',
      [
        ...ISSUER,
        '--set',
        'store.url=sqlite:/var/x.db,replicaCount=1,persistence.enabled=true',
      ],
      /below \/data/,
    ],
    [
      'a volume for nothing',
      [...ISSUER, ...REDIS, '--set', 'persistence.enabled=true'],
      /SQLite only/,
    ],
    [
      'a route without a gateway',
      [
        ...ISSUER,
        ...REDIS,
        '--set',
        'httpRoute.enabled=true,config.http.trustedProxies={10.0.1.0/28}',
      ],
      /httpRoute\.parentRefs/,
    ],
    [
      'a rotation without the new secret',
      [...ISSUER, ...REDIS, '--set', 'secret.keys={LATCHKEY_SECRET,LATCHKEY_SECRET_2}'],
      /LATCHKEY_SECRET_2, which has no value: set secret\.values\.LATCHKEY_SECRET_2/,
    ],
    [
      'a rotation in two forms',
      [
        ...ISSUER,
        ...REDIS,
        '--set',
        'secret.existingSecret=s,secret.previous=true,secret.keys={LATCHKEY_SECRET_2,LATCHKEY_SECRET}',
      ],
      /keep secret\.keys/,
    ],
    [
      'a rotation without the old secret',
      [...ISSUER, ...REDIS, '--set', 'secret.previous=true'],
      /secret\.previousValue/,
    ],
    [
      'traces to no URL',
      [...ISSUER, ...REDIS, '--set', 'traces.endpoint=collector:4318'],
      /endpoint/,
    ],
    [
      'an ingress whose addresses nobody trusts',
      [...ISSUER, ...REDIS, '--set', 'ingress.enabled=true'],
      /config\.http\.trustedProxies is empty.*--set/s,
    ],
    [
      'a gateway whose addresses nobody trusts',
      [...ISSUER, ...REDIS, '--set', 'httpRoute.enabled=true'],
      /config\.http\.trustedProxies is empty.*--set/s,
    ],
    [
      "a password's file for the chart's own Redis",
      [...ISSUER, '--set', 'redis.enabled=true,store.passwordSecret=redis'],
      /that of redis\.enabled is redis\.password/,
    ],
    [
      "a password's file for SQLite",
      [
        ...ISSUER,
        '--set',
        'store.url=sqlite:/data/x.db,persistence.enabled=true,replicaCount=1',
        '--set',
        'store.sentinelPasswordSecret=redis',
      ],
      /SQLite has no password/,
    ],
    [
      'a password and its file',
      [...ISSUER, ...REDIS, '--set', 'store.passwordSecret=a,config.store.password=b'],
      /store\.passwordSecret and config\.store\.password are both set/,
    ],
    [
      "the sentinels' password in two files",
      [
        ...ISSUER,
        '--set',
        'store.url=redis+sentinel://a/m,store.sentinelPasswordSecret=a',
        '--set',
        'config.store.sentinel.passwordFile=/b',
      ],
      /store\.sentinelPasswordSecret and config\.store\.sentinel\.passwordFile are both set/,
    ],
    ['a short secret', [...ISSUER, ...REDIS, '--set', 'secret.value=short'], /secret/],
  ]
  for (const [name, args, message] of cases) {
    const { code, stderr } = await template(args)
    t.equal(code, 1, name)
    t.match(stderr, message, name)
  }
})

t.test(
  'alerts and dashboard arrive as they are, with a runbook that can be reached',
  async t => {
    const objects = await render('monitoring-values.yaml')
    const { spec } = objects.find(({ kind }) => kind === 'PrometheusRule')
    const rules = spec.groups
      .flatMap((group: { rules: any[] }) => group.rules)
      .filter(({ alert }: { alert?: string }) => alert !== undefined)
    t.ok(rules.length > 10)
    for (const { annotations } of rules) {
      t.match(
        annotations.runbook_url,
        /^https:\/\/wiki\.example\.com\/latchkey\/runbook\.md#latchkey/,
      )
    }
    t.ok(
      rules.some(({ annotations }: any) =>
        annotations.summary.includes('{{ $value | humanize }}'),
      ),
    )
    const { metadata, data } = objects.find(
      ({ metadata }) => metadata.name === 'release-latchkey-dashboard',
    )
    t.match(metadata, {
      labels: { grafana_dashboard: '1' },
      annotations: { grafana_folder: 'Identity' },
    })
    const page = 'https://wiki.example.com/latchkey/runbook.md'
    const board = await readFile(join(CHART, 'files/dashboard.json'), 'utf8')
    t.same(
      JSON.parse(data['latchkey.json']),
      JSON.parse(
        board.replaceAll(/https:\/\/github\.com\/\S+?\/docs\/runbook\.md/g, page),
      ),
    )
    t.notOk(
      (await render('minimal-values.yaml')).some(
        ({ kind, metadata }) =>
          kind === 'PrometheusRule' || metadata.name.endsWith('dashboard'),
      ),
      'nothing of it unless asked for',
    )
  },
)

t.test('all that the README says of the chart is really there', async t => {
  const production = await render('production-values.yaml')
  const objects = [...production, ...(await render('gateway-values.yaml'))]
  const find = (kind: string, name = /./) =>
    objects.find(object => object.kind === kind && name.test(object.metadata.name))
  const pod = () => production.find(({ kind }) => kind === 'Deployment').spec.template
  const container = () => pod().spec.containers[0]
  const selected = (selector: object) =>
    t.match(pod().metadata.labels, selector, 'it selects the pods')
  const features: Readonly<Record<string, () => void>> = {
    PDB: () => {
      selected(find('PodDisruptionBudget').spec.selector.matchLabels)
    },
    HPA: () => {
      t.match(find('HorizontalPodAutoscaler').spec, {
        minReplicas: 3,
        scaleTargetRef: { kind: 'Deployment', name: find('Deployment').metadata.name },
      })
    },
    NetworkPolicy: () => {
      selected(find('NetworkPolicy').spec.podSelector.matchLabels)
      t.match(find('NetworkPolicy').spec, {
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{}] }, { from: [{}] }],
        egress: [
          { ports: [{ port: 53 }, { port: 53 }] },
          { ports: [{ port: 6379 }], to: [{ ipBlock: {} }] },
        ],
      })
    },
    ServiceMonitor: () => {
      t.match(find('ServiceMonitor').spec.endpoints, [
        { port: 'management', path: '/metrics' },
      ])
      t.match(
        find('Service', /management/).metadata.labels,
        find('ServiceMonitor').spec.selector.matchLabels,
      )
    },
    PrometheusRule: () => {
      t.ok(find('PrometheusRule').spec.groups.length > 0)
    },
    existingSecret: () => {
      t.match(
        container().env.find(({ name }: { name: string }) => name === 'LATCHKEY_SECRET'),
        { valueFrom: { secretKeyRef: { name: 'latchkey-secrets' } } },
      )
      t.notOk(
        production.some(({ kind }) => kind === 'Secret'),
        "and no secret of the chart's",
      )
    },
    'values.schema.json': () => {
      t.ok(existsSync(join(CHART, 'values.schema.json')))
    },
    'read-only root': () => {
      t.equal(container().securityContext.readOnlyRootFilesystem, true)
    },
    seccomp: () => {
      t.same(pod().spec.securityContext.seccompProfile, { type: 'RuntimeDefault' })
    },
    'config checksum': () => {
      t.match(pod().metadata.annotations['checksum/config'], /^[0-9a-f]{64}$/)
    },
    'preStop drain': () => {
      t.same(container().lifecycle.preStop, { sleep: { seconds: 10 } })
    },
    HTTPRoute: () => {
      t.match(find('HTTPRoute').spec, {
        hostnames: ['id.example.com'],
        parentRefs: [{ name: 'public' }],
        rules: [{ backendRefs: [{ name: find('Service').metadata.name }] }],
      })
    },
    'topology spread': () => {
      t.match(pod().spec.topologySpreadConstraints, [
        { topologyKey: 'topology.kubernetes.io/zone' },
        { topologyKey: 'kubernetes.io/hostname' },
      ])
    },
    dashboard: () => {
      t.ok(find('ConfigMap', /dashboard/).data['latchkey.json'])
    },
    'a helm test that gets a token': () => {
      t.match(find('Pod'), {
        metadata: { annotations: { 'helm.sh/hook': 'test' } },
        spec: { containers: [{ command: /token\.mjs|node/ }] },
      })
    },
  }
  const { 1: row = '' } =
    /What the chart has: ([^.]*(?:\.schema[^.]*\.json)?[^.]*)\./.exec(
      await readFile(join(PROJECT, 'README.md'), 'utf8'),
    ) ?? []
  t.same(
    row
      .replaceAll('`', '')
      .split('·')
      .map(name => name.trim().replaceAll(/\s+/g, ' '))
      .toSorted(),
    Object.keys(features).toSorted(),
  )
  for (const [name, check] of Object.entries(features)) t.doesNotThrow(check, name)
})

t.test('traces go to the collector, and the NetworkPolicy lets them', async t => {
  const objects = await render('traces-values.yaml')
  const {
    containers: [{ env }],
  } = objects.find(({ kind }) => kind === 'Deployment').spec.template.spec
  const [endpoint] = env.filter(
    ({ name }: { name: string }) => name === 'OTEL_EXPORTER_OTLP_ENDPOINT',
  )
  t.same(endpoint, {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    value: 'http://collector.observability:4318',
  })
  const allowed = {
    ports: [{ port: 4318, protocol: 'TCP' }],
    to: [
      {
        namespaceSelector: {
          matchLabels: { 'kubernetes.io/metadata.name': 'observability' },
        },
      },
    ],
  }
  t.match(
    objects.find(({ kind }) => kind === 'NetworkPolicy').spec.egress.at(-1),
    allowed,
  )
  for (const [url, port] of [
    ['https://collector', 443],
    ['http://collector/otlp', 80],
  ] as const) {
    const { stdout } = await template([
      ...ISSUER,
      ...REDIS,
      '--set',
      `secret.value=${'s'.repeat(43)}`,
      '--set',
      `traces.endpoint=${url}`,
      '--show-only',
      'templates/networkpolicy.yaml',
    ])
    t.same(
      parseAllDocuments(stdout)[0]?.toJS().spec.egress.at(-1),
      { ports: [{ port, protocol: 'TCP' }] },
      url,
    )
  }
  t.notMatch(JSON.stringify(await render('minimal-values.yaml')), 'OTEL_')
})

t.test("the store's passwords arrive as files that are renewed", async t => {
  const objects = await render('store-password-file-values.yaml')
  const config = objects.find(
    ({ kind, data }) => kind === 'ConfigMap' && data['latchkey.yaml'] !== undefined,
  )
  const { store } = parse(config.data['latchkey.yaml'])
  const pods = objects.flatMap(({ kind, spec }) =>
    kind === 'Pod' ? [spec] : kind === 'Deployment' ? [spec.template.spec] : [],
  )
  t.equal(pods.length, 2, "the server's and that of helm test")
  for (const { containers, volumes } of pods) {
    const { projected, name } = volumes.find((volume: any) => volume.projected)
    const mount = containers[0].volumeMounts.find((mount: any) => mount.name === name)
    t.same(mount, { name, mountPath: mount.mountPath, readOnly: true }, 'no subPath')
    const files = projected.sources.map(({ secret }: any) => [
      secret.items[0].key,
      join(mount.mountPath, secret.items[0].path),
    ])
    t.same(files, [
      ['LATCHKEY_STORE_PASSWORD', store.passwordFile],
      ['LATCHKEY_SENTINEL_PASSWORD', store.sentinel.passwordFile],
    ])
  }
  t.equal(store.sentinel.username, 'latchkey', 'what stands beside it stays')
  t.notMatch(JSON.stringify(await render('minimal-values.yaml')), 'latchkey-store')
})

t.test('no secret is outside a Secret', async t => {
  const objects = await render('try-out-values.yaml')
  const { data } = objects.find(({ kind }) => kind === 'Secret')
  const decoded = (name: string) => Buffer.from(data[name], 'base64').toString()
  t.equal(
    decoded('LATCHKEY_STORE_URL'),
    `redis://:${decoded('REDIS_PASSWORD')}@release-latchkey-redis:6379/0`,
  )
  const others = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'))
  for (const name of Object.keys(data)) t.notOk(others.includes(decoded(name)), name)
})

t.test(
  'what helm test runs gets, verifies, refreshes and revokes a token, and leaves no user behind',
  async t => {
    const store = await STORES[0]?.make()
    if (store === undefined) throw new Error('no store')
    t.teardown(() => store.remove())
    const server = await startLatchkey({ storeUrl: store.url })
    t.teardown(() => server.stop())
    const script = (await render('minimal-values.yaml')).find(
      ({ kind, data }) => kind === 'ConfigMap' && data['token.mjs'] !== undefined,
    ).data['token.mjs']
    const file = join(t.testdir(), 'token.mjs')
    await writeFile(file, script)
    const bin = join(PROJECT, 'bin/latchkey.js')
    const env = {
      ...process.env,
      LATCHKEY_CONFIG: server.configFile,
      LATCHKEY_TEST_URL: server.url,
      LATCHKEY_BIN: bin,
    }
    const attempt = (clients: unknown, clientId = '') =>
      run(process.execPath, [file], {
        env: {
          ...env,
          LATCHKEY_TEST_CLIENTS: JSON.stringify(clients),
          LATCHKEY_TEST_CLIENT_ID: clientId,
        },
      })

    const good = await attempt([{ id: 'mobile', grants: ['password', 'refresh_token'] }])
    t.equal(good.code, 0, good.stderr)
    t.match(good.stdout, /got a token\nverified.*\nrefreshed.*\nrevoked.*\nall is well/)
    const bad = await attempt([{ id: 'nobody', grants: ['password', 'refresh_token'] }])
    t.equal(bad.code, 1)
    t.match(bad.stderr, /answered 401 invalid_client/)
    t.match((await attempt([])).stderr, /needs a client with both grants/)
    // As with configFrom: the chart knows no client.
    const named = await attempt([], 'mobile')
    t.equal(named.code, 0, named.stderr)
    t.match((await attempt([], 'nobody')).stderr, /answered 401 invalid_client/)
    t.match(
      (await attempt([{ id: 'mobile', grants: ['password'] }], 'mobile')).stderr,
      /needs a client with both grants/,
    )
    const users = await runWell(process.execPath, [bin, 'users', 'list'], { env })
    t.notMatch(users, /helm-test/)
  },
)
