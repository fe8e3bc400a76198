// Every documented combination of values against the API schemas of the newest three minor versions of
// Kubernetes, and under the eyes of kube-score and of kube-linter's checks.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { VERSIONS, writeSchemas } from '../../scripts/kubernetes-schemas.ts'
import { faultsOf, PRACTICES, spoilt } from './support/best-practices.ts'
import { PROJECT, run, runWell } from './support/commands.ts'

const CHART = join(PROJECT, 'helm/latchkey')
const files = (await readdir(join(CHART, 'ci'))).sort()

// Each with its reason; nothing else is let off.
const IGNORED = {
  // Tags are versions and never move: `Always` would make a start depend on the registry, and pods with a
  // digest need no second look.
  'container-image-pull-policy': 'IfNotPresent',
}

// What follows from what a file of values asks for, and from nothing else.
const ASKED_FOR: Readonly<Record<string, RegExp>> = {
  // It switches the NetworkPolicy and the budget off, to show that they can be.
  'bare-values.yaml':
    /The pod does not have a matching NetworkPolicy|No matching PodDisruptionBudget/,
  // It brings an affinity of its own, which goes before ours.
  'scheduling-values.yaml': /does not have a host podAntiAffinity set/,
  // An SQLite file is one process's: one replica, and the old pod goes before the new one comes.
  'sqlite-values.yaml': /Deployment update strategy|Deployment few replicas/,
  'sqlite-existing-claim-values.yaml':
    /Deployment update strategy|Deployment few replicas/,
}

const render = (file: string, version: string) =>
  runWell('helm', [
    'template',
    'release',
    CHART,
    '--namespace',
    'id',
    '--kube-version',
    version,
    '--values',
    join(CHART, 'ci', file),
  ])

t.test(
  'what the chart makes is valid for the newest three versions of Kubernetes',
  async t => {
    const schemas = t.testdir()
    writeSchemas(schemas)
    const locations = [
      '{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json',
      'crds/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json',
    ]
    const validate = async (input: string, version: string) => {
      const { code, stdout } = await run(
        'kubeconform',
        [
          '-strict',
          '-kubernetes-version',
          version,
          '-output',
          'json',
          '-summary',
          ...locations.flatMap(path => ['-schema-location', join(schemas, path)]),
        ],
        { input },
      )
      return { code, ...JSON.parse(stdout) }
    }
    for (const version of VERSIONS) {
      for (const file of files) {
        const {
          code,
          resources = [],
          summary,
        } = await validate(await render(file, version), version)
        t.equal(code, 0, `${file} on ${version}: ${JSON.stringify(resources)}`)
        t.match(
          summary,
          { invalid: 0, errors: 0, skipped: 0 },
          `${file} on ${version}: every object has its schema`,
        )
        t.ok(summary.valid > 4)
      }
    }
    const good = await render('production-values.yaml', VERSIONS[2])
    for (const [name, bad] of [
      ['runAsNonRoot:', 'runAsNonRootx:'],
      ['scrapeTimeout:', 'scrapeTimeoutx:'],
      ['maxReplicas: 10', 'maxReplicas: many'],
    ] as const) {
      t.ok(good.includes(name))
      t.equal(
        (await validate(good.replaceAll(name, bad), VERSIONS[2])).code,
        1,
        `${bad} is found`,
      )
    }
  },
)

t.test('kube-score finds nothing that is not explained here', async t => {
  for (const file of files) {
    const { stdout } = await run(
      'kube-score',
      [
        'score',
        '--output-format',
        'ci',
        ...Object.keys(IGNORED).flatMap(name => ['--ignore-test', name]),
        '-',
      ],
      { input: await render(file, VERSIONS[2]) },
    )
    const found = stdout
      .split('\n')
      .filter(
        line =>
          /^\[(CRITICAL|WARNING)\]/.test(line) && ASKED_FOR[file]?.test(line) !== true,
      )
    t.match(stdout, /^\[OK\]/m, 'it looked')
    t.same(found, [], file)
  }
})

// The chart's own values bring these; nothing else is let off.
const WANTED: Readonly<Record<string, RegExp>> = {
  'scheduling-values.yaml': /^no-anti-affinity: /,
}

t.test('nothing breaks what kube-linter looks at by default', async t => {
  const objectsOf = async (file: string) =>
    parseAllDocuments(await render(file, VERSIONS[2]))
      .map(document => document.toJS())
      .filter(object => object !== null)
  for (const file of files) {
    t.same(
      faultsOf(await objectsOf(file)).filter(fault => WANTED[file]?.test(fault) !== true),
      [],
      file,
    )
  }
  const good = await objectsOf('production-values.yaml')
  for (const [check, practice] of Object.entries(PRACTICES)) {
    t.match(faultsOf(spoilt(good, practice)).join(), `${check}: `, `${check} bites`)
  }
})
