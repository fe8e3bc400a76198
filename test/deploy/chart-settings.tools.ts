// The chart opens: each setting by itself, and what it makes of which object. Wrong ones are refused by path.
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { CHART } from './support/chart.ts'
import { run } from './support/commands.ts'

const BASE = {
  config: { issuer: 'https://id.example.com' },
  store: { url: 'redis://redis:6379/0' },
  secret: { value: 'b25seS1hLXRlc3Qtb25seS1hLXRlc3Qtb25seS1hLXRlc3Q' },
}
const REDIS = { enabled: true, password: 'a'.repeat(16) }
const INGRESS = { config: { http: { trustedProxies: ['10.0.1.10'] } } }

type Values = Readonly<Record<string, unknown>>
type Made = Record<string, any>

const template = (values: Values, { release = 'release', namespace = 'id' } = {}) =>
  run(
    'helm',
    [
      ...['template', release, CHART, '--namespace', namespace],
      ...['--kube-version', '1.37.0', '--values', '-'],
    ],
    { input: JSON.stringify(merged(BASE, values)) },
  )

/** Mappings are merged, everything else is replaced. */
function merged(base: Values, more: Values): Values {
  const entries = Object.entries(more).map(([key, value]): [string, unknown] => {
    const before = base[key]
    return [key, isMapping(before) && isMapping(value) ? merged(before, value) : value]
  })
  return { ...base, ...Object.fromEntries(entries) }
}

const isMapping = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

async function render(
  values: Values,
  where?: Readonly<Record<'release' | 'namespace', string>>,
): Promise<readonly Made[]> {
  const { code, stdout, stderr } = await template(values, where)
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map((document): Made | null => document.toJS())
    .filter(object => object !== null)
}

/** What stands at a path such as `spec.template.spec.containers.0.image`. */
const at = (object: unknown, path: string): unknown =>
  path.split('.').reduce<any>((value, key) => value?.[key.replaceAll('~', '.')], object)

const POD = 'spec.template.spec'
const SERVER = `${POD}.containers.0`
const CONTAINER = { name: 'other', image: 'registry.example.com/other:1' }
const RELABEL = [{ action: 'drop', regex: 'x', sourceLabels: ['y'] }]
const uid = 'latchkey-of-team-a'
const EXISTING = {
  secret: {
    value: '',
    existingSecret: 'vault',
    keys: ['LATCHKEY_SECRET_2', 'LATCHKEY_SECRET'],
    existingSecretKeys: { LATCHKEY_SECRET_2: 'sealing-2026' },
  },
}
const KEY_OF_NEW = { name: 'vault', key: 'sealing-2026' }
const KEY_OF_OLD = { name: 'vault', key: 'LATCHKEY_SECRET' }

/** Values; the kind that they change; where; and what stands there then. */
const SETTINGS: readonly (readonly [
  values: Values,
  kind: string,
  path: string,
  expected: unknown,
])[] = [
  [{ initContainers: [CONTAINER] }, 'Deployment', `${POD}.initContainers`, [CONTAINER]],
  [{ sidecars: [CONTAINER] }, 'Deployment', `${POD}.containers.1`, CONTAINER],
  [
    { podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null } },
    'Deployment',
    `${POD}.securityContext`,
    {
      fsGroupChangePolicy: 'OnRootMismatch',
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  ],
  [
    { podSecurityContext: { runAsUser: null } },
    'Pod',
    'spec.securityContext.runAsUser',
    undefined,
  ],
  [
    { securityContext: { runAsUser: 1234 } },
    'Deployment',
    `${SERVER}.securityContext.runAsUser`,
    1234,
  ],
  [
    { readinessProbe: { periodSeconds: 7 } },
    'Deployment',
    `${SERVER}.readinessProbe`,
    {
      httpGet: { path: '/readyz', port: 'management' },
      periodSeconds: 7,
      timeoutSeconds: 2,
      failureThreshold: 2,
    },
  ],
  [
    { startupProbe: { failureThreshold: 600 } },
    'Deployment',
    `${SERVER}.startupProbe.failureThreshold`,
    600,
  ],
  [
    { livenessProbe: { timeoutSeconds: 9 } },
    'Deployment',
    `${SERVER}.livenessProbe.timeoutSeconds`,
    9,
  ],
  [
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%' } } },
    'Deployment',
    'spec.strategy.rollingUpdate',
    { maxSurge: '50%' },
  ],
  [{ minReadySeconds: 5 }, 'Deployment', 'spec.minReadySeconds', 5],
  [
    { terminationGracePeriodSeconds: 90 },
    'Deployment',
    `${POD}.terminationGracePeriodSeconds`,
    90,
  ],
  [
    { lifecycle: { preStop: { exec: { command: ['true'] } } } },
    'Deployment',
    `${SERVER}.lifecycle`,
    { preStop: { exec: { command: ['true'] } } },
  ],
  [
    { hostAliases: [{ ip: '10.0.0.9', hostnames: ['redis'] }] },
    'Deployment',
    `${POD}.hostAliases.0.ip`,
    '10.0.0.9',
  ],
  [{ dnsPolicy: 'Default' }, 'Deployment', `${POD}.dnsPolicy`, 'Default'],
  [
    { dnsConfig: { options: [{ name: 'ndots', value: '1' }] } },
    'Deployment',
    `${POD}.dnsConfig.options.0.value`,
    '1',
  ],
  [{ runtimeClassName: 'gvisor' }, 'Deployment', `${POD}.runtimeClassName`, 'gvisor'],
  [{ deploymentAnnotations: { a: 'b' } }, 'Deployment', 'metadata.annotations.a', 'b'],
  [{ replicaCount: null }, 'Deployment', 'spec.replicas', undefined],
  [{ namespaceOverride: 'other' }, 'Deployment', 'metadata.namespace', 'other'],
  [
    { global: { imageRegistry: 'mirror.example.com/hub' } },
    'Deployment',
    `${SERVER}.image`,
    'mirror.example.com/hub/latchkey/latchkey:0.1.0',
  ],
  [
    {
      global: { imageRegistry: 'mirror.example.com' },
      redis: REDIS,
      store: { url: '' },
    },
    'StatefulSet',
    `${SERVER}.image`,
    'mirror.example.com/library/redis:8.2',
  ],
  [
    { global: { imagePullSecrets: [{ name: 'a' }] }, imagePullSecrets: [{ name: 'b' }] },
    'Deployment',
    `${POD}.imagePullSecrets`,
    [{ name: 'b' }, { name: 'a' }],
  ],
  [
    {
      redis: { ...REDIS, podSecurityContext: { runAsNonRoot: true } },
      store: { url: '' },
    },
    'StatefulSet',
    `${POD}.securityContext`,
    { runAsNonRoot: true },
  ],
  [
    { extraObjects: ['{kind: A, metadata: {name: "{{ .Release.Name }}-a"}}'] },
    'A',
    'metadata.name',
    'release-a',
  ],
  [
    { extraObjects: [{ kind: 'A', metadata: { name: '{{ .Release.Name }}-a' } }] },
    'A',
    'metadata.name',
    'release-a',
  ],
  [
    { podDisruptionBudget: { minAvailable: 1 } },
    'PodDisruptionBudget',
    'spec.minAvailable',
    1,
  ],
  [
    { podDisruptionBudget: { minAvailable: '50%' } },
    'PodDisruptionBudget',
    'spec.maxUnavailable',
    undefined,
  ],
  [
    { autoscaling: { enabled: true, metrics: [{ type: 'Pods', pods: {} }] } },
    'HorizontalPodAutoscaler',
    'spec.metrics.1.type',
    'Pods',
  ],
  [
    { autoscaling: { enabled: true, targetHashQueueLength: 4 } },
    'HorizontalPodAutoscaler',
    'spec.metrics.1.pods',
    {
      metric: { name: 'latchkey_hash_queue' },
      target: { type: 'AverageValue', averageValue: '4' },
    },
  ],
  [{ command: ['/wrap'] }, 'Deployment', `${SERVER}.command`, ['/wrap']],
  [{ args: ['serve'] }, 'Deployment', `${SERVER}.args`, ['serve']],
  [
    { sidecars: [{ ...CONTAINER, args: ['{{ .Release.Name }}'] }] },
    'Deployment',
    `${POD}.containers.1.args`,
    ['release'],
  ],
  [
    { initContainers: [{ ...CONTAINER, args: ['{{ .Release.Namespace }}'] }] },
    'Deployment',
    `${POD}.initContainers.0.args`,
    ['id'],
  ],
  [
    { serviceAccount: { automount: true } },
    'Deployment',
    `${POD}.automountServiceAccountToken`,
    true,
  ],
  [
    { serviceAccount: { imagePullSecrets: [{ name: 'a' }] } },
    'ServiceAccount',
    'imagePullSecrets',
    [{ name: 'a' }],
  ],
  [{ ...EXISTING }, 'Deployment', `${SERVER}.env.1.valueFrom.secretKeyRef`, KEY_OF_NEW],
  [{ ...EXISTING }, 'Deployment', `${SERVER}.env.2.valueFrom.secretKeyRef`, KEY_OF_OLD],
  [
    { store: { url: '', existingSecret: 'redis', existingSecretKey: 'uri' } },
    'Deployment',
    `${SERVER}.env.2.valueFrom.secretKeyRef`,
    { name: 'redis', key: 'uri' },
  ],
  [
    { store: { passwordSecret: 'redis', passwordSecretKey: 'password' } },
    'Deployment',
    `${POD}.volumes.1.projected.sources.0.secret.items.0.key`,
    'password',
  ],
  [
    { store: { sentinelPasswordSecret: 'redis', sentinelPasswordSecretKey: 'other' } },
    'Deployment',
    `${POD}.volumes.1.projected.sources.0.secret.items.0.key`,
    'other',
  ],
  [
    { test: { existingSecret: 'web', existingSecretKey: 'secret' } },
    'Pod',
    'spec.containers.0.env.3.valueFrom.secretKeyRef',
    { name: 'web', key: 'secret' },
  ],
  [
    { configFrom: { configMap: 'mine', key: 'a.yaml' } },
    'Deployment',
    `${POD}.volumes.0.configMap`,
    { name: 'mine', items: [{ key: 'a.yaml', path: 'latchkey.yaml' }] },
  ],
  [
    { configFrom: { secret: 'mine' } },
    'Pod',
    'spec.volumes.1.secret',
    {
      secretName: 'mine',
      defaultMode: 288,
      items: [{ key: 'latchkey.yaml', path: 'latchkey.yaml' }],
    },
  ],
  [
    { service: { loadBalancerIP: '192.0.2.1' } },
    'Service',
    'spec.loadBalancerIP',
    '192.0.2.1',
  ],
  [
    { service: { externalIPs: ['192.0.2.1'] } },
    'Service',
    'spec.externalIPs',
    ['192.0.2.1'],
  ],
  [
    { service: { sessionAffinity: 'ClientIP' } },
    'Service',
    'spec.sessionAffinity',
    'ClientIP',
  ],
  [
    { service: { extraPorts: [{ name: 'https', port: 443 }] } },
    'Service',
    'spec.ports.1.port',
    443,
  ],
  [
    { ...INGRESS, ingress: { enabled: true, extraPaths: [{ path: '/help' }] } },
    'Ingress',
    'spec.rules.0.http.paths.0.path',
    '/help',
  ],
  [
    {
      ...INGRESS,
      httpRoute: {
        enabled: true,
        parentRefs: [{ name: 'g' }],
        additionalRules: [{ filters: [] }],
      },
    },
    'HTTPRoute',
    'spec.rules.1',
    { filters: [] },
  ],
  [
    { networkPolicy: { extraIngress: [{ ports: [] }] } },
    'NetworkPolicy',
    'spec.ingress.2',
    { ports: [] },
  ],
  [
    { metrics: { serviceMonitor: { enabled: true, namespace: 'monitoring' } } },
    'ServiceMonitor',
    'metadata.namespace',
    'monitoring',
  ],
  [
    { metrics: { serviceMonitor: { enabled: true, namespace: 'monitoring' } } },
    'ServiceMonitor',
    'spec.namespaceSelector',
    { matchNames: ['id'] },
  ],
  [
    { metrics: { podMonitor: { enabled: true, scheme: 'https' } } },
    'PodMonitor',
    'spec.podMetricsEndpoints.0.scheme',
    'https',
  ],
  [
    {
      metrics: { podMonitor: { enabled: true, tlsConfig: { insecureSkipVerify: true } } },
    },
    'PodMonitor',
    'spec.podMetricsEndpoints.0.tlsConfig',
    { insecureSkipVerify: true },
  ],
  [
    { metrics: { serviceMonitor: { enabled: true, honorLabels: true } } },
    'ServiceMonitor',
    'spec.endpoints.0.honorLabels',
    true,
  ],
  [
    { metrics: { prometheusRule: { enabled: true, namespace: 'monitoring' } } },
    'PrometheusRule',
    'metadata.namespace',
    'monitoring',
  ],
  [{ deploymentLabels: { a: 'b' } }, 'Deployment', 'metadata.labels.a', 'b'],
  [{ secret: { labels: { a: 'b' } } }, 'Secret', 'metadata.labels.a', 'b'],
  [
    { secret: { annotations: { a: 'b' } } },
    'Secret',
    'metadata.annotations',
    { a: 'b', 'helm.sh/resource-policy': 'keep' },
  ],
  [
    { podDisruptionBudget: { labels: { a: 'b' } } },
    'PodDisruptionBudget',
    'metadata.labels.a',
    'b',
  ],
  [
    { networkPolicy: { annotations: { a: 'b' } } },
    'NetworkPolicy',
    'metadata.annotations.a',
    'b',
  ],
  [
    { serviceAccount: { labels: { a: 'b' } } },
    'ServiceAccount',
    'metadata.labels.a',
    'b',
  ],
  [{ service: { clusterIP: 'None' } }, 'Service', 'spec.clusterIP', 'None'],
  [{ service: { nodePort: 30080 } }, 'Service', 'spec.ports.0.nodePort', 30080],
  [
    { service: { loadBalancerClass: 'internal' } },
    'Service',
    'spec.loadBalancerClass',
    'internal',
  ],
  [
    { service: { loadBalancerSourceRanges: ['10.0.0.0/8'] } },
    'Service',
    'spec.loadBalancerSourceRanges',
    ['10.0.0.0/8'],
  ],
  [
    { service: { externalTrafficPolicy: 'Local' } },
    'Service',
    'spec.externalTrafficPolicy',
    'Local',
  ],
  [
    { service: { internalTrafficPolicy: 'Local' } },
    'Service',
    'spec.internalTrafficPolicy',
    'Local',
  ],
  [
    { service: { ipFamilyPolicy: 'PreferDualStack' } },
    'Service',
    'spec.ipFamilyPolicy',
    'PreferDualStack',
  ],
  [{ service: { ipFamilies: ['IPv6'] } }, 'Service', 'spec.ipFamilies', ['IPv6']],
  [
    { ...INGRESS, ingress: { enabled: true, paths: ['/id'] } },
    'Ingress',
    'spec.rules.0.http.paths.0.path',
    '/id',
  ],
  [
    { ...INGRESS, ingress: { enabled: true, pathType: 'ImplementationSpecific' } },
    'Ingress',
    'spec.rules.0.http.paths.0.pathType',
    'ImplementationSpecific',
  ],
  [
    {
      ...INGRESS,
      ingress: { enabled: true, tls: [{ hosts: ['a.example'], secretName: 'a' }] },
    },
    'Ingress',
    'spec.tls',
    [{ hosts: ['a.example'], secretName: 'a' }],
  ],
  [
    {
      ...INGRESS,
      httpRoute: { enabled: true, parentRefs: [{ name: 'g' }], paths: ['/id'] },
    },
    'HTTPRoute',
    'spec.rules.0.matches',
    [{ path: { type: 'PathPrefix', value: '/id' } }],
  ],
  [
    {
      ...INGRESS,
      httpRoute: {
        enabled: true,
        parentRefs: [{ name: 'g' }],
        filters: [{ type: 'RequestHeaderModifier' }],
        timeouts: { request: '10s' },
      },
    },
    'HTTPRoute',
    'spec.rules.0.timeouts.request',
    '10s',
  ],
  [
    { metrics: { serviceMonitor: { enabled: true, metricRelabelings: RELABEL } } },
    'ServiceMonitor',
    'spec.endpoints.0.metricRelabelings',
    RELABEL,
  ],
  [
    { metrics: { podMonitor: { enabled: true, relabelings: RELABEL } } },
    'PodMonitor',
    'spec.podMetricsEndpoints.0.relabelings',
    RELABEL,
  ],
  [
    { metrics: { podMonitor: { enabled: true } } },
    'PodMonitor',
    'spec.selector.matchLabels.app~kubernetes~io/component',
    'server',
  ],
]

t.test('each setting is where it belongs', async t => {
  for (const [values, kind, path, expected] of SETTINGS) {
    const objects = (await render(values)).filter(object => object['kind'] === kind)
    t.same(at(objects[0], path), expected, JSON.stringify(values))
  }
})

t.test(
  'an issuer with a path claims that path and its metadata, and no other',
  async t => {
    const config = { ...INGRESS.config, issuer: 'https://example.com/auth' }
    const paths = ['/auth', '/.well-known/oauth-authorization-server/auth']
    const objects = await render({
      config,
      ingress: { enabled: true },
      httpRoute: { enabled: true, parentRefs: [{ name: 'g' }] },
    })
    const [ingress, route] = ['Ingress', 'HTTPRoute'].map(kind =>
      objects.find(object => object['kind'] === kind),
    )
    t.same(
      ingress?.['spec'].rules[0].http.paths.map(({ path }: Made) => path),
      paths,
    )
    t.same(
      route?.['spec'].rules[0].matches.map(({ path }: Made) => path.value),
      paths,
    )
  },
)

/** Values that make an object of each kind. */
const everything = {
  ...INGRESS,
  autoscaling: { enabled: true },
  ingress: { enabled: true },
  httpRoute: { enabled: true, parentRefs: [{ name: 'g' }] },
  redis: REDIS,
  store: { url: '' },
  metrics: {
    serviceMonitor: { enabled: true },
    podMonitor: { enabled: true },
    prometheusRule: { enabled: true },
    dashboard: { enabled: true },
  },
}

t.test('common annotations are on every object, and in the pods', async t => {
  const objects = await render({ ...everything, commonAnnotations: { team: 'a' } })
  t.ok(objects.length >= 16, `${objects.length} objects`)
  for (const object of objects) {
    t.equal(object['metadata'].annotations?.team, 'a', object['kind'])
  }
  const [claim] = (
    await render({
      commonAnnotations: { team: 'a' },
      persistence: { enabled: true },
      store: { url: 'sqlite:/data/latchkey.db' },
      replicaCount: 1,
    })
  ).filter(object => object['kind'] === 'PersistentVolumeClaim')
  t.same(claim?.['metadata'].annotations, {
    team: 'a',
    'helm.sh/resource-policy': 'keep',
  })
  const deployment = objects.find(object => object['kind'] === 'Deployment')
  t.match(deployment?.['spec'].template.metadata.annotations, {
    team: 'a',
    'checksum/config': /^[0-9a-f]{64}$/,
  })
})

t.test('a label is there once, and ours stay what the selectors go by', async t => {
  const ours = { 'app.kubernetes.io/name': 'foo', 'app.kubernetes.io/component': 'foo' }
  const values = {
    ...everything,
    commonLabels: { ...ours, team: 'all', shop: 'all' },
    podLabels: { ...ours, team: 'pods' },
    deploymentLabels: { ...ours, team: 'one' },
  }
  const { stdout } = await template(values)
  for (const { errors } of parseAllDocuments(stdout)) t.same(errors, [])
  const objects = await render(values)
  for (const { kind, metadata } of objects) {
    t.match(metadata.labels, { 'app.kubernetes.io/name': 'latchkey', shop: 'all' }, kind)
  }
  const servers = objects.find(({ kind }) => kind === 'Deployment')
  t.equal(servers?.['metadata'].labels.team, 'one')
  const { labels } = servers?.['spec'].template.metadata
  t.match(labels, {
    ...servers?.['spec'].selector.matchLabels,
    team: 'pods',
    shop: 'all',
  })
})

t.test('a release may be called 123, in a namespace that is a number', async t => {
  const objects = await render(everything, { release: '123', namespace: '1e3' })
  t.ok(objects.length >= 16)
  const assertTexts = (value: unknown) => {
    if (!isMapping(value)) return
    for (const [key, each] of Object.entries(value)) t.type(each, 'string', key)
  }
  for (const { kind, metadata, spec } of objects) {
    const { name, namespace, labels } = metadata
    assertTexts({ name, namespace, ...labels })
    t.equal(labels['app.kubernetes.io/instance'], '123', kind)
    assertTexts(spec?.template?.metadata.labels)
    assertTexts(spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels)
  }
  const services = objects.filter(({ kind }) => kind === 'Service')
  for (const { spec } of services) assertTexts(spec.selector)
})

t.test('alerts go one by one, get labels, and leave nothing else changed', async t => {
  const rulesOf = async (prometheusRule: Values): Promise<Made[]> =>
    (await render({ metrics: { prometheusRule: { enabled: true, ...prometheusRule } } }))
      .find(object => object['kind'] === 'PrometheusRule')
      ?.['spec'].groups.flatMap(({ rules }: Made) => rules)
  const all = await rulesOf({})
  const fewer = await rulesOf({
    disabled: ['LatchkeyDown'],
    alertLabels: { team: 'a', severity: 'page' },
  })
  t.ok(all.some(({ alert }) => alert === 'LatchkeyDown'))
  t.same(
    fewer.map(({ alert, record, expr }) => ({ alert, record, expr })),
    all
      .filter(({ alert }) => alert !== 'LatchkeyDown')
      .map(({ alert, record, expr }) => ({ alert, record, expr })),
  )
  for (const { alert, labels } of fewer.filter(rule => rule['alert'] !== undefined)) {
    t.match(labels, { team: 'a', severity: 'page' }, alert)
  }
})

t.test('the dashboard keeps its panels under a uid of yours', async t => {
  const boardOf = async (dashboard: Values) => {
    const objects = await render({
      metrics: { dashboard: { enabled: true, ...dashboard } },
    })
    const map = objects.find(({ metadata }) => metadata.name.endsWith('-dashboard'))
    return JSON.parse(map?.['data']['latchkey.json'])
  }
  const { uid: own, ...board } = await boardOf({})
  t.ok(own)
  t.same(await boardOf({ uid }), { ...board, uid })
})

t.test('whoever has the configuration file elsewhere gets none of ours', async t => {
  const objects = await render({ configFrom: { secret: 'mine' }, config: { issuer: '' } })
  t.notOk(objects.some(({ data }) => data?.['latchkey.yaml'] !== undefined))
  const { code, stderr } = await template({
    configFrom: { secret: 'mine' },
    config: { issuer: '' },
    ingress: { enabled: true },
  })
  t.not(code, 0)
  t.match(stderr, /config\.issuer is missing/, 'the ingress needs its host')
  const [ingress] = (
    await render({
      configFrom: { secret: 'mine' },
      config: { issuer: '' },
      ingress: { enabled: true, hosts: ['id.example.com'] },
    })
  ).filter(({ kind }) => kind === 'Ingress')
  t.equal(ingress?.['spec'].rules[0].host, 'id.example.com')
})

t.test('a chart of charts has it or not, by its condition', async t => {
  const dir = t.testdir({
    'Chart.yaml': JSON.stringify({
      apiVersion: 'v2',
      name: 'shop',
      version: '1.0.0',
      dependencies: [
        { name: 'latchkey', version: '0.1.0', condition: 'latchkey.enabled' },
      ],
    }),
    charts: {},
  })
  await cp(CHART, join(dir, 'charts/latchkey'), { recursive: true })
  const kindsOf = async (latchkey: Values) => {
    const args = ['template', 'release', dir, '--kube-version', '1.37.0', '--values', '-']
    const input = JSON.stringify({
      latchkey,
      global: { imageRegistry: 'mirror.example' },
    })
    const { code, stdout, stderr } = await run('helm', args, { input })
    t.equal(code, 0, stderr)
    return stdout
  }
  t.match(await kindsOf(BASE), /image: mirror\.example\/latchkey\/latchkey:/)
  t.notMatch(await kindsOf({ ...BASE, enabled: false }), 'kind:')
})

t.test('a wrong text is refused with what was expected', async t => {
  for (const [values, words] of [
    [{ config: { tokens: { accessTtl: 'soon' } } }, 'a_duration_such_as_'],
    [{ config: { issuer: 'id.example.com' } }, 'an_https_URL'],
    [{ traces: { endpoint: 'collector' } }, 'an_http_or_https_URL_such_as_'],
    [{ store: { url: 'redis' } }, 'a_URL_such_as_rediss_host_6379_0_or_sqlite_'],
    [{ persistence: { size: 'lots' } }, 'a_size_such_as_1Gi'],
    [{ metrics: { serviceMonitor: { interval: '30' } } }, 'a_duration_such_as_30s'],
    [
      { service: { loadBalancerSourceRanges: ['10.0.0.1'] } },
      'a_network_such_as_203_0_113_0_24',
    ],
  ] as const) {
    const { code, stderr } = await template(values)
    t.not(code, 0, JSON.stringify(values))
    t.match(stderr, `(?<expected_${words}`)
  }
})

t.test('what is wrong is refused by its path', async t => {
  for (const [values, message] of [
    [{ configFrom: { secret: 'a', configMap: 'b' } }, /configFrom\.configMap and config/],
    [
      { secret: { existingSecretKeys: { LATCHKEY_SECRET: 'a' } } },
      /secret\.existingSecret is not: name the Secret/,
    ],
    [
      {
        secret: {
          value: '',
          existingSecret: 'a',
          existingSecretKeys: { LATCHKEY_SECRET_2: 'a' },
        },
      },
      /LATCHKEY_SECRET_2, which is not in secret\.keys/,
    ],
    [{ store: { existingSecretKey: 'a b' } }, /existingSecretKey/],
    [{ namespaceOverride: 'No_Such' }, /namespaceOverride/],
    [{ readinessProbe: { path: '/' } }, /readinessProbe/],
    [{ service: { externalTrafficPolicy: 'Here' } }, /externalTrafficPolicy/],
    [{ service: { ipFamilies: ['IPv5'] } }, /ipFamilies/],
    [{ dnsPolicy: 'Never' }, /dnsPolicy/],
    [{ ingress: { pathType: 'Regex' } }, /pathType/],
    [{ ingress: { paths: ['id'] } }, /paths/],
    [{ sidecars: [{ name: 'a' }] }, /image/],
    [{ strategy: { type: 'Blue' } }, /strategy/],
    [{ initContainer: [] }, /initContainer/],
    [{ metrics: { dashboard: { uid: 'a b' } } }, /uid/],
  ] as const) {
    const { code, stderr } = await template(values)
    t.not(code, 0, JSON.stringify(values))
    t.match(stderr, message)
  }
})
