// The chart opens: each setting by itself, and what it makes of which object. Wrong ones are refused by path.
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { PROJECT, run } from './support/commands.ts'

const CHART = join(PROJECT, 'helm/latchkey')
const BASE = {
  config: { issuer: 'https://id.example.com' },
  store: { url: 'redis://redis:6379/0' },
  secret: { value: 'b25seS1hLXRlc3Qtb25seS1hLXRlc3Qtb25seS1hLXRlc3Q' },
}
const REDIS = { enabled: true, password: 'a'.repeat(16) }
const INGRESS = { config: { http: { trustedProxies: ['10.0.1.10'] } } }

type Values = Readonly<Record<string, unknown>>
type Made = Record<string, any>

const template = (values: Values) =>
  run(
    'helm',
    [
      ...['template', 'release', CHART, '--namespace', 'id', '--kube-version', '1.37.0'],
      ...['--values', '-'],
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

async function render(values: Values): Promise<readonly Made[]> {
  const { code, stdout, stderr } = await template(values)
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

t.test('common annotations are on every object, and in the pods', async t => {
  const objects = await render({
    ...INGRESS,
    commonAnnotations: { team: 'a' },
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
  })
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

t.test('what is wrong is refused by its path', async t => {
  for (const [values, message] of [
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
