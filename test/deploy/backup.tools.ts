// Back-ups by the chart: a CronJob whose command works, a volume that stays, and a way to the store and no
// further; and what docs/operations.md has people type to put one back.
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { backupFile } from '../../src/cli/store/backup-folder.ts'
import { blockOf } from '../docs/support/blocks.ts'
import { commandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'
import { CHART } from './support/chart.ts'
import { run, runWell } from './support/commands.ts'

type Values = Readonly<Record<string, unknown>>

const BASE = {
  config: { issuer: 'https://id.example.com' },
  store: { url: 'redis://redis:6379/0' },
  secret: { existingSecret: 'latchkey-secrets' },
}

const template = (values: Values) =>
  run(
    'helm',
    [
      ...['template', 'latchkey', CHART, '--namespace', 'id', '--kube-version', '1.37.0'],
      ...['--values', '-'],
    ],
    { input: JSON.stringify({ ...BASE, ...values }) },
  )

async function render(values: Values): Promise<readonly any[]> {
  const { code, stdout, stderr } = await template(values)
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map((document): any => document.toJS())
    .filter(object => object !== null)
}

const of = (objects: readonly any[], kind: string, name = 'latchkey-backup') =>
  objects.find(object => object.kind === kind && object.metadata.name === name)

const podOf = (objects: readonly any[]) =>
  of(objects, 'CronJob').spec.jobTemplate.spec.template

t.test('its jobs and pods are found by one label, as the runbook does', async t => {
  const { metadata, spec } = of(await render({ backup: { enabled: true } }), 'CronJob')
  const label = { 'app.kubernetes.io/component': 'backup' }
  t.match(metadata.labels, label)
  t.match(spec.jobTemplate.metadata?.labels, label)
  t.match(spec.jobTemplate.spec.template.metadata.labels, label)
})

t.test('without it there is none', async t => {
  t.equal(of(await render({}), 'CronJob'), undefined)
})

t.test('its command fills the folder and keeps as many as it should', async t => {
  const objects = await render({ backup: { enabled: true, keep: 2 } })
  const { args, command, volumeMounts } = podOf(objects).spec.containers[0]
  t.equal(command, undefined, "the image's own entry point")
  t.match(volumeMounts, [{ name: 'backup', mountPath: '/backup' }])
  const { latchkey, withStore, directory } = commandLine(t)
  await withStore(store => store.directory.add(someAccount('erin')))
  const folder = join(directory, 'backup')
  mkdirSync(folder)
  const line = args.join(' ').replace('/backup', folder)
  const { code, out, err } = await latchkey(line)
  t.equal(code, 0, err)
  t.match(out, ': 1 account')
  t.equal(readdirSync(folder).length, 1)
})

t.test('it reaches the store and no more, and the store lets it in', async t => {
  const notify = { mail: { from: 'a@b.example', host: 'smtp.example.com' } }
  const objects = await render({
    config: { ...BASE.config, notify },
    backup: { enabled: true },
    networkPolicy: { storeTo: [{ ipBlock: { cidr: '10.20.0.0/24' } }] },
  })
  const { spec } = of(objects, 'NetworkPolicy')
  const { labels } = podOf(objects).metadata
  t.match(labels, spec.podSelector.matchLabels)
  t.same(spec.ingress, [])
  const [dns, store, ...others] = spec.egress
  t.match(dns, { ports: [{ port: 53 }, { port: 53 }] })
  t.match(store, { ports: [{ port: 6379 }], to: [{ ipBlock: {} }] })
  t.same(others, [])
  const servers = of(objects, 'Service', 'latchkey').spec.selector
  t.notMatch(labels, servers, 'no request is sent to it')

  const tried = await render({
    store: {},
    redis: { enabled: true, password: 'a'.repeat(16) },
    backup: { enabled: true },
  })
  const [{ from }] = of(tried, 'NetworkPolicy', 'latchkey-redis').spec.ingress
  const [{ key, values }] = from[0].podSelector.matchExpressions
  t.ok(values.includes(podOf(tried).metadata.labels[key]))
})

t.test('beside an SQLite file it is where the file is', async t => {
  const sqlite = {
    store: { url: 'sqlite:/data/latchkey.db' },
    persistence: { enabled: true },
    replicaCount: 1,
  }
  const objects = await render({
    ...sqlite,
    backup: { enabled: true, existingClaim: 'mine' },
  })
  const { affinity, containers, volumes } = podOf(objects).spec
  t.match(affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution, [
    { topologyKey: 'kubernetes.io/hostname' },
  ])
  t.match(
    containers[0].volumeMounts.map(({ mountPath }: any) => mountPath),
    ['/backup', '/etc/latchkey', '/data'],
  )
  t.match(volumes[0], { persistentVolumeClaim: { claimName: 'mine' } })
  t.equal(of(objects, 'PersistentVolumeClaim'), undefined)
})

t.test('the volume stays when the release goes', async t => {
  const objects = await render({ backup: { enabled: true, size: '20Gi' } })
  t.match(of(objects, 'PersistentVolumeClaim'), {
    metadata: { annotations: { 'helm.sh/resource-policy': 'keep' } },
    spec: { resources: { requests: { storage: '20Gi' } } },
  })
})

t.test('a pod for one task reaches the store as the server does', async t => {
  const values = {
    imagePullSecrets: [{ name: 'pull' }],
    hostAliases: [{ ip: '10.0.0.9', hostnames: ['redis'] }],
    dnsPolicy: 'Default',
    dnsConfig: { options: [{ name: 'ndots', value: '1' }] },
    nodeSelector: { zone: 'a' },
    tolerations: [{ key: 'a', operator: 'Exists' }],
    priorityClassName: 'high',
    runtimeClassName: 'gvisor',
    backup: { enabled: true },
  }
  const objects = await render(values)
  const { backup: _, ...wanted } = values
  t.match(podOf(objects).spec, wanted)
  t.match(of(objects, 'Pod', 'latchkey-test').spec, wanted)
})

t.test('the values of the page make one', async t => {
  const values = parse(blockOf('docs/operations.md', '# into values.yaml'))
  t.match(of(await render(values), 'CronJob').spec, {
    schedule: '17 3 * * *',
    timeZone: 'Europe/Berlin',
    suspend: false,
    concurrencyPolicy: 'Forbid',
  })
})

t.test('what it refuses', async t => {
  for (const [backup, words] of [
    [{ schedule: 'nightly' }, 'expected_five_fields_as_cron_has_them'],
    [{ schedule: '17 3 * *' }, 'expected_five_fields_as_cron_has_them'],
    [{ keep: 0 }, 'backup/keep'],
    [{ size: 'lots' }, 'a_size_such_as_1Gi'],
  ] as const) {
    const { code, stderr } = await template({ backup: { enabled: true, ...backup } })
    t.not(code, 0, JSON.stringify(backup))
    t.match(stderr.replaceAll('.', '/'), words)
  }
})

t.test('the page makes of the CronJob a Job that restores', async t => {
  const objects = await render({ backup: { enabled: true } })
  const { jobTemplate } = of(objects, 'CronJob').spec
  const typed = blockOf('docs/operations.md', 'file=/backup/')
  const [, file = ''] = /^file=(\S+)/.exec(typed) ?? []
  const [, program = ''] = /jq --arg file "\$file" '([^']+)'/.exec(typed) ?? []
  // As `kubectl create job --from` has it, before it is sent.
  const job = {
    kind: 'Job',
    metadata: { name: 'latchkey-restore' },
    spec: jobTemplate.spec,
  }
  const input = JSON.stringify(job)
  const made = JSON.parse(
    await runWell('jq', ['--arg', 'file', file, program], { input }),
  )
  const { args } = made.spec.template.spec.containers[0]
  t.same(args, ['store', 'restore', file])
  const folder = { path: '/backup', owner: '3f9c21ab' }
  t.equal(file, backupFile(folder, Date.parse('2026-11-28T03:17:00Z')))
})
