// The files of values in ci/, which people read as examples: helm lints and renders each, the server takes
// its configuration, its objects fit the schemas of the newest three minor versions of Kubernetes, and
// kube-score and kube-linter's checks find nothing. One process looks at all of them where it can.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { VERSIONS, writeSchemas } from '../../scripts/kubernetes-schemas.ts'
import { parseConfig } from '../../src/config/load.ts'
import { faultsOf, PRACTICES, spoilt } from './support/best-practices.ts'
import { CHART, lintAll, releaseOf, renderAll, VALUES_FILES } from './support/chart.ts'
import { run } from './support/commands.ts'

// Each with its reason; nothing else is let off.
const IGNORED = {
  // Tags are versions and never move: `Always` would make a start depend on the registry, and pods with a
  // digest need no second look.
  'container-image-pull-policy': 'IfNotPresent',
}

// What follows from what a file of values asks for, and from nothing else.
const ASKED_FOR: Readonly<Record<string, RegExp>> = {
  // It switches the NetworkPolicy and the budget off, to show that they can be.
  'bare-values.yaml': /networkpolicy|poddisruptionbudget/,
  // It brings an affinity of its own, which goes before ours.
  'scheduling-values.yaml': /host-podantiaffinity|^no-anti-affinity: /,
  // An SQLite file is one process's: one replica, and the old pod goes before the new one comes.
  'backup-by-hand-values.yaml': /deployment-strategy|deployment-replicas/,
  'sqlite-values.yaml': /deployment-strategy|deployment-replicas/,
  'sqlite-existing-claim-values.yaml': /deployment-strategy|deployment-replicas/,
  'sqlite-volume-values.yaml': /deployment-strategy|deployment-replicas/,
  // OpenShift gives the number of the user itself.
  'openshift-values.yaml': /container-security-context-user-group-id|^run-as-non-root: /,
  'openshift-route-values.yaml':
    /container-security-context-user-group-id|^run-as-non-root: /,
  'try-out-openshift-values.yaml':
    /container-security-context-user-group-id|^run-as-non-root: /,
  // Somebody else counts its pods.
  'keda-values.yaml': /^deployment-replicas: /,
  // A port of the nodes is what it shows.
  'node-port-values.yaml': /service-type/,
  // Its second back end and its account are there already.
  'ingress-paths-values.yaml': /^dangling-ingress: |^ingress-targets-service: /,
  'service-account-values.yaml': /^non-existent-service-account: /,
}

/** What stands for the variables that the files name. */
const VARIABLES = {
  LATCHKEY_SECRET: 's'.repeat(43),
  LATCHKEY_SECRET_2: 't'.repeat(43),
  LATCHKEY_SECRET_PREVIOUS: 'u'.repeat(43),
  REDIS_PASSWORD: 'password',
  WEB_CLIENT_HASH: `sha256:${'A'.repeat(43)}`,
  WEBHOOK_SECRET: `whsec_${'A'.repeat(43)}=`,
  DIRECTORY_SECRET: `${'A'.repeat(43)}=`,
  LDAP_PASSWORD: 'password',
  DB_PASSWORD: 'password',
}

const renderings = await renderAll()

/** What isn't let off for this file. */
const without = (file: string, faults: readonly string[]) =>
  faults.filter(fault => ASKED_FOR[file]?.test(fault) !== true)

/** The paths below a value at which something stands, such as `service.port`. */
function pathsOf(value: unknown, path: readonly string[] = []): string[] {
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
  const below = isMapping ? Object.entries(value) : []
  return below.length === 0
    ? [path.join('.')]
    : below.flatMap(([key, child]) => pathsOf(child, [...path, key]))
}

t.test('helm lint finds nothing in any file', async t => {
  t.ok(VALUES_FILES.length >= 60, `${VALUES_FILES.length} files`)
  t.same(
    (await lintAll()).filter(([, fault]) => fault !== ''),
    [],
  )
})

t.test('each says what it shows, and together they show every setting', async t => {
  for (const { file, values } of renderings) t.match(values, /^# \S/, file)
  const set = renderings.flatMap(({ values }) => pathsOf(parse(values)))
  const settings = pathsOf(parse(await readFile(join(CHART, 'values.yaml'), 'utf8')))
  const isShown = (path: string) =>
    set.some(each => each === path || each.startsWith(`${path}.`))
  t.same(
    settings.filter(path => !path.startsWith('config.') && !isShown(path)),
    [],
  )
})

t.test('the server takes the configuration that each makes', async t => {
  let taken = 0
  for (const { file, objects } of renderings) {
    for (const { kind, data } of objects) {
      const text = kind === 'ConfigMap' ? data['latchkey.yaml'] : undefined
      if (text === undefined) continue
      const secret = objects.find(each => each.kind === 'Secret')
      const url = Buffer.from(secret?.data.LATCHKEY_STORE_URL ?? '', 'base64').toString()
      const unknown = text.includes('sentinel:') ? 'redis+sentinel://a/m' : 'rediss://a'
      const variables = { ...VARIABLES, LATCHKEY_STORE_URL: url || unknown }
      t.doesNotThrow(() => parseConfig(text, variables), file)
      taken += 1
    }
  }
  t.ok(taken >= VALUES_FILES.length - 2, `${taken} configurations`)
})

t.test('pods keep to the restricted standard, whatever the values', async t => {
  for (const { file, objects } of renderings) {
    const specs = objects.flatMap(({ kind, spec }) =>
      kind === 'Pod'
        ? [spec]
        : kind === 'CronJob'
          ? [spec.jobTemplate.spec.template.spec]
          : ['Deployment', 'StatefulSet'].includes(kind)
            ? [spec.template.spec]
            : [],
    )
    t.ok(specs.length > 0)
    for (const { securityContext, containers, initContainers = [] } of specs) {
      t.match(
        securityContext,
        { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        file,
      )
      for (const container of [...containers, ...initContainers]) {
        const restricted = {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        }
        t.match(container.securityContext, restricted, file)
        t.ok(container.resources.limits.memory, file)
      }
    }
  }
})

t.test('every object is valid for the newest three versions of Kubernetes', async t => {
  const dir = t.testdir({ schemas: {}, manifests: {} })
  writeSchemas(join(dir, 'schemas'))
  for (const { file, text } of renderings) {
    await writeFile(join(dir, 'manifests', file), text)
  }
  const locations = [
    '{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json',
    'crds/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json',
  ]
  const validate = async (version: string, args: readonly string[], input?: string) => {
    const { code, stdout } = await run(
      'kubeconform',
      [
        ...['-strict', '-kubernetes-version', version, '-output', 'json', '-summary'],
        ...locations.flatMap(path => ['-schema-location', join(dir, 'schemas', path)]),
        ...args,
      ],
      input === undefined ? {} : { input },
    )
    return { code, ...JSON.parse(stdout) }
  }
  // The CRDs of what two examples bring are in no registry.
  for (const kind of ['route_v1', 'middleware_v1alpha1', 'ingressroute_v1alpha1']) {
    await writeFile(join(dir, 'schemas/crds', `${kind}.json`), '{ "type": "object" }')
  }
  for (const version of VERSIONS) {
    const { code, resources, summary } = await validate(version, [join(dir, 'manifests')])
    t.equal(code, 0, `${version}: ${JSON.stringify(resources)}`)
    t.match(summary, { invalid: 0, errors: 0, skipped: 0 }, 'each has its schema')
    t.ok(summary.valid > 6 * VALUES_FILES.length)
  }
  const good =
    renderings.find(({ file }) => file === 'production-values.yaml')?.text ?? ''
  for (const [name, bad] of [
    ['runAsNonRoot:', 'runAsNonRootx:'],
    ['scrapeTimeout:', 'scrapeTimeoutx:'],
    ['maxReplicas: 10', 'maxReplicas: many'],
  ] as const) {
    t.ok(good.includes(name))
    const { code } = await validate(VERSIONS[2], [], good.replaceAll(name, bad))
    t.equal(code, 1, `${bad} is found`)
  }
})

t.test('kube-score finds nothing that is not explained here', async t => {
  const dir = join(t.testdir(), 'manifests')
  await mkdir(dir)
  for (const { file, text } of renderings) await writeFile(join(dir, file), text)
  const { stdout } = await run('kube-score', [
    ...['score', '--output-format', 'json'],
    ...Object.keys(IGNORED).flatMap(name => ['--ignore-test', name]),
    ...renderings.map(({ file }) => join(dir, file)),
  ])
  const scored = JSON.parse(stdout)
  for (const { file } of renderings) {
    const release = releaseOf(file)
    const own = scored.filter(
      ({ object_meta: { labels } }: any) =>
        labels?.['app.kubernetes.io/instance'] === release,
    )
    t.ok(own.length >= 3, `it looked at ${file}`)
    const faults = own.flatMap(({ object_name: name, checks }: any) =>
      checks
        .filter(({ skipped, grade }: any) => !skipped && grade < 10)
        .map(({ check, comments }: any) => {
          const why = (comments ?? []).map(({ summary }: any) => summary).join('; ')
          return `${check.id}: ${name}: ${why}`
        }),
    )
    t.same(without(file, faults), [], file)
  }
})

t.test('nothing breaks what kube-linter looks at by default', async t => {
  for (const { file, objects } of renderings) {
    t.same(without(file, faultsOf(objects)), [], file)
  }
  const good = renderings.find(({ file }) => file === 'production-values.yaml')
  for (const [check, practice] of Object.entries(PRACTICES)) {
    const faults = faultsOf(spoilt(good?.objects ?? [], practice))
    t.match(faults.join(), `${check}: ${releaseOf('production-values.yaml')}`, check)
  }
})
