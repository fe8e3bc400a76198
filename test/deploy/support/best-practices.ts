// What kube-linter looks at by default, check by check under its names: kube-linter itself can't be installed
// from a package registry. Each comes with a way to break it, so that a test sees it bite.

/** What is looked at: every object of a rendering, and its pods wherever they are. */
interface View {
  readonly objects: readonly any[]
  readonly pods: ReadonlyArray<{
    readonly name: string
    readonly labels: Record<string, string>
    readonly replicas: number
    readonly spec: any
  }>
}

interface Practice {
  /** The names of what doesn't hold to it. */
  readonly faults: (view: View) => string[]
  /** Breaks it, given a server's pod with its one container, and all objects. */
  readonly spoil: (pod: any, container: any, of: (kind: string) => any) => void
}

/** What has pods in it. */
const TEMPLATES = ['Deployment', 'StatefulSet', 'CronJob']

function viewOf(objects: readonly any[]): View {
  const pods = objects.flatMap(({ kind, metadata, spec }) => {
    if (kind === 'Pod') {
      return [
        {
          name: metadata.name,
          labels: metadata.labels,
          replicas: 1,
          spec,
        },
      ]
    }
    if (!TEMPLATES.includes(kind)) return []
    const { template } = kind === 'CronJob' ? spec.jobTemplate.spec : spec
    const scaled = objects.some(
      object => object.kind === 'HorizontalPodAutoscaler' && object.spec.minReplicas > 1,
    )
    return [
      {
        name: metadata.name,
        labels: template.metadata.labels,
        replicas: spec.replicas ?? (kind === 'Deployment' && scaled ? 2 : 1),
        spec: template.spec,
      },
    ]
  })
  return { objects, pods }
}

/** A practice of each pod. */
const ofPods = (
  holds: (spec: any, pod: View['pods'][number], view: View) => boolean,
  spoil: Practice['spoil'],
): Practice => ({
  faults: view =>
    view.pods.filter(pod => !holds(pod.spec, pod, view)).map(({ name }) => name),
  spoil,
})

/** A practice of each container. */
const ofContainers = (
  holds: (container: any, spec: any) => boolean,
  spoil: Practice['spoil'],
): Practice =>
  ofPods(
    spec =>
      [...spec.containers, ...(spec.initContainers ?? [])].every(container =>
        holds(container, spec),
      ),
    spoil,
  )

/** A practice of each object of a kind. */
const ofKind = (
  kind: string,
  holds: (object: any, view: View) => boolean,
  spoil: Practice['spoil'],
): Practice => ({
  faults: view =>
    view.objects
      .filter(object => object.kind === kind && !holds(object, view))
      .map(({ metadata }) => metadata.name),
  spoil,
})

const within = (labels: Record<string, string>, selector: Record<string, string> = {}) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value)
const selects = (selector: Record<string, string> | undefined, { pods }: View) =>
  pods.some(({ labels }) => within(labels, selector))
const hasPort = ({ ports = [] }: any, wanted: string | number) =>
  ports.some(({ name, containerPort }: any) => [name, containerPort].includes(wanted))
const probe = (name: string): Practice =>
  ofContainers(
    container =>
      (({ httpGet, tcpSocket } = {} as any) =>
        (httpGet ?? tcpSocket) === undefined ||
        hasPort(container, (httpGet ?? tcpSocket).port))(container[name]),
    (_pod, container) => {
      container[name].httpGet.port = 'elsewhere'
    },
  )
const noHostMount: Practice = ofPods(
  ({ volumes = [] }) => volumes.every(({ hostPath }: any) => hostPath === undefined),
  pod => {
    pod.spec.volumes.push({ name: 'x', hostPath: { path: '/etc' } })
  },
)
const notOfHost = (field: string): Practice =>
  ofPods(
    spec => !spec[field],
    pod => {
      pod.spec[field] = true
    },
  )
const asks = (what: string): Practice =>
  ofContainers(
    ({ resources: { requests = {}, limits = {} } = {} as any }) =>
      requests[what] !== undefined && limits[what] !== undefined,
    (_pod, container) => {
      delete container.resources.limits[what]
    },
  )

/** By kube-linter's names. */
export const PRACTICES: Readonly<Record<string, Practice>> = {
  'dangling-service': ofKind(
    'Service',
    ({ spec }, view) => selects(spec.selector, view),
    (_pod, _container, of) => {
      of('Service').spec.selector = { a: 'b' }
    },
  ),
  'dangling-networkpolicy': ofKind(
    'NetworkPolicy',
    ({ spec }, view) => selects(spec.podSelector.matchLabels, view),
    (_pod, _container, of) => {
      of('NetworkPolicy').spec.podSelector.matchLabels = { a: 'b' }
    },
  ),
  'dangling-horizontalpodautoscaler': ofKind(
    'HorizontalPodAutoscaler',
    (
      {
        spec: {
          scaleTargetRef: { kind, name },
        },
      },
      { objects },
    ) => objects.some(object => object.kind === kind && object.metadata.name === name),
    (_pod, _container, of) => {
      of('HorizontalPodAutoscaler').spec.scaleTargetRef.name = 'x'
    },
  ),
  'dangling-ingress': ofKind(
    'Ingress',
    ({ spec }, { objects }) =>
      spec.rules.every(({ http }: any) =>
        http.paths.every(({ backend: { service } }: any) =>
          objects.some(
            ({ kind, metadata }) => kind === 'Service' && metadata.name === service.name,
          ),
        ),
      ),
    (_pod, _container, of) => {
      of('Ingress').spec.rules[0].http.paths[0].backend.service.name = 'x'
    },
  ),
  'dangling-servicemonitor': ofKind(
    'ServiceMonitor',
    ({ spec }, { objects }) =>
      objects.some(
        ({ kind, metadata }) =>
          kind === 'Service' && within(metadata.labels, spec.selector.matchLabels),
      ),
    (_pod, _container, of) => {
      of('ServiceMonitor').spec.selector.matchLabels = { a: 'b' }
    },
  ),
  'invalid-target-ports': ofKind(
    'Service',
    ({ spec }, { pods }) =>
      spec.ports.every(({ targetPort }: any) =>
        pods.some(
          ({ labels, spec: { containers } }) =>
            within(labels, spec.selector) &&
            containers.some((container: any) => hasPort(container, targetPort)),
        ),
      ),
    (_pod, _container, of) => {
      of('Service').spec.ports[0].targetPort = 'elsewhere'
    },
  ),
  'mismatching-selector': ofKind(
    'Deployment',
    ({ spec }) => within(spec.template.metadata.labels, spec.selector.matchLabels),
    (_pod, _container, of) => {
      of('Deployment').spec.selector.matchLabels = { a: 'b' }
    },
  ),
  'no-extensions-v1beta': {
    faults: ({ objects }) =>
      objects
        .filter(({ apiVersion }) => /^extensions\/|beta/.test(apiVersion))
        .map(({ metadata }) => metadata.name),
    spoil: (_pod, _container, of) => {
      of('Ingress').apiVersion = 'extensions/v1beta1'
    },
  },
  'pdb-max-unavailable': ofKind(
    'PodDisruptionBudget',
    ({ spec }) =>
      spec.maxUnavailable === undefined || Number.parseInt(spec.maxUnavailable) > 0,
    (_pod, _container, of) => {
      of('PodDisruptionBudget').spec.maxUnavailable = 0
    },
  ),
  'pdb-min-available': ofKind(
    'PodDisruptionBudget',
    ({ spec: { minAvailable, selector } }, { pods }) =>
      minAvailable === undefined ||
      (String(minAvailable).endsWith('%')
        ? Number.parseInt(minAvailable) < 100
        : pods
            .filter(({ labels }) => within(labels, selector.matchLabels))
            .every(({ replicas }) => minAvailable < replicas)),
    (_pod, _container, of) => {
      of('PodDisruptionBudget').spec.minAvailable = '100%'
    },
  ),
  'pdb-unhealthy-pod-eviction-policy': ofKind(
    'PodDisruptionBudget',
    ({ spec }) => spec.unhealthyPodEvictionPolicy !== undefined,
    (_pod, _container, of) => {
      delete of('PodDisruptionBudget').spec.unhealthyPodEvictionPolicy
    },
  ),
  'deprecated-service-account-field': ofPods(
    ({ serviceAccount }) => serviceAccount === undefined,
    pod => {
      pod.spec.serviceAccount = 'x'
    },
  ),
  'non-existent-service-account': ofPods(
    ({ serviceAccountName: wanted }, _pod, { objects }) =>
      wanted === 'default' ||
      objects.some(
        ({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === wanted,
      ),
    pod => {
      pod.spec.serviceAccountName = 'x'
    },
  ),
  'no-anti-affinity': ofPods(
    ({ affinity }, { replicas, labels }) =>
      replicas < 2 ||
      (
        affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
      ).some(
        ({ podAffinityTerm: { topologyKey, labelSelector } }: any) =>
          topologyKey === 'kubernetes.io/hostname' &&
          within(labels, labelSelector.matchLabels),
      ),
    pod => {
      delete pod.spec.affinity
    },
  ),
  'host-ipc': notOfHost('hostIPC'),
  'host-network': notOfHost('hostNetwork'),
  'host-pid': notOfHost('hostPID'),
  'docker-sock': noHostMount,
  'sensitive-host-mounts': noHostMount,
  'writable-host-mount': noHostMount,
  'unsafe-sysctls': ofPods(
    ({ securityContext }) => (securityContext.sysctls ?? []).length === 0,
    pod => {
      pod.spec.securityContext.sysctls = [{ name: 'kernel.msgmax', value: '1' }]
    },
  ),
  'run-as-non-root': ofPods(
    ({ securityContext: { runAsNonRoot, runAsUser } }) =>
      runAsNonRoot === true && runAsUser > 0,
    pod => {
      pod.spec.securityContext.runAsUser = 0
    },
  ),
  'drop-net-raw-capability': ofContainers(
    ({ securityContext }) =>
      securityContext.capabilities.drop.includes('ALL') &&
      securityContext.capabilities.add === undefined,
    (_pod, container) => {
      container.securityContext.capabilities.add = ['NET_RAW']
    },
  ),
  'no-read-only-root-fs': ofContainers(
    ({ securityContext }) => securityContext.readOnlyRootFilesystem === true,
    (_pod, container) => {
      delete container.securityContext.readOnlyRootFilesystem
    },
  ),
  'privilege-escalation-container': ofContainers(
    ({ securityContext }) => securityContext.allowPrivilegeEscalation === false,
    (_pod, container) => {
      delete container.securityContext.allowPrivilegeEscalation
    },
  ),
  'privileged-container': ofContainers(
    ({ securityContext }) => !securityContext.privileged,
    (_pod, container) => {
      container.securityContext.privileged = true
    },
  ),
  'latest-tag': ofContainers(
    ({ image }) => /(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image),
    (_pod, container) => {
      container.image = 'latchkey:latest'
    },
  ),
  'ssh-port': ofContainers(
    container => !hasPort(container, 22),
    (_pod, container) => {
      container.ports.push({ containerPort: 22 })
    },
  ),
  'env-var-secret': ofContainers(
    ({ env = [] }) =>
      env.every(({ name, value = '' }: any) => !/secret/i.test(name) || value === ''),
    (_pod, container) => {
      container.env.push({ name: 'MY_SECRET', value: 'x' })
    },
  ),
  'duplicate-env-var': ofContainers(
    ({ env = [] }) => new Set(env.map(({ name }: any) => name)).size === env.length,
    (_pod, container) => {
      container.env.push(container.env[0])
    },
  ),
  'liveness-port': probe('livenessProbe'),
  'readiness-port': probe('readinessProbe'),
  'startup-port': probe('startupProbe'),
  'unset-cpu-requirements': asks('cpu'),
  'unset-memory-requirements': asks('memory'),
}

/** What doesn't hold: `check: object`. */
export function faultsOf(objects: readonly any[]): string[] {
  const view = viewOf(objects)
  return Object.entries(PRACTICES).flatMap(([check, { faults }]) =>
    faults(view).map(name => `${check}: ${name}`),
  )
}

/** The objects with one practice broken. */
export function spoilt(objects: readonly any[], { spoil }: Practice): any[] {
  const copy = structuredClone([...objects])
  const of = (kind: string) => copy.find(object => object.kind === kind)
  const pod = of('Deployment').spec.template
  spoil(pod, pod.spec.containers[0], of)
  return copy
}
