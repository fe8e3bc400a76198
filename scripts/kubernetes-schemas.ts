// Puts the schemas that kubeconform reads into a folder: `node scripts/kubernetes-schemas.ts FOLDER`.
// Kubernetes' own come from PyPI's kubernetes-validate, those of Gateway API and the Prometheus operator from
// the CRDs in their Go modules; nothing is fetched from elsewhere.
import { execFileSync } from 'node:child_process'
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** The newest three minor versions. */
export const VERSIONS = ['1.35.0', '1.36.0', '1.37.0'] as const

const PACKAGE = 'kubernetes-validate==1.37.0'
const KINDS = [
  'configmap-v1',
  'cronjob-batch-v1',
  'deployment-apps-v1',
  'horizontalpodautoscaler-autoscaling-v2',
  'ingress-networking-v1',
  'networkpolicy-networking-v1',
  'persistentvolumeclaim-v1',
  'pod-v1',
  'poddisruptionbudget-policy-v1',
  'secret-v1',
  'service-v1',
  'serviceaccount-v1',
  'statefulset-apps-v1',
]
const CRDS = [
  {
    module: 'sigs.k8s.io/gateway-api@v1.4.0',
    files: 'config/crd/standard/*httproutes.yaml',
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files:
      'example/prometheus-operator-crd/*_{servicemonitors,podmonitors,prometheusrules}.yaml',
  },
]

type Node = Record<string, unknown>
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'))
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A schema with its references replaced by what they name: kubeconform can't follow the package's. */
function whole(
  node: unknown,
  definitions: Node,
  inside: readonly string[] = [],
): unknown {
  if (Array.isArray(node)) return node.map(item => whole(item, definitions, inside))
  if (!isNode(node)) return node
  if (typeof node['$ref'] !== 'string') {
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [
        key,
        whole(value, definitions, inside),
      ]),
    )
  }
  const name = node['$ref'].split('/').at(-1) ?? ''
  return inside.includes(name)
    ? {}
    : whole(definitions[name], definitions, [...inside, name])
}

/**
 * A CRD's schema refuses unknown fields as the server does that prunes them: a misspelt one would be lost in
 * silence.
 */
function strict(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(strict)
  if (!isNode(node)) return node
  const closed =
    isNode(node['properties']) &&
    node['additionalProperties'] === undefined &&
    node['x-kubernetes-preserve-unknown-fields'] !== true
  return {
    ...Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, strict(value)]),
    ),
    ...(closed && { additionalProperties: false }),
  }
}

function writeKinds(folder: string): void {
  const scratch = mkdtempSync(join(tmpdir(), 'latchkey-schemas-'))
  execFileSync('python3', [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--dest',
    scratch,
    PACKAGE,
  ])
  for (const wheel of globSync(join(scratch, '*.whl'))) {
    execFileSync('python3', ['-m', 'zipfile', '-e', wheel, scratch])
  }
  for (const version of VERSIONS) {
    const from = join(
      scratch,
      `kubernetes_validate/kubernetes-json-schema/v${version}-local-strict`,
    )
    const definitions = read(join(from, '_definitions.json')).$defs
    mkdirSync(join(folder, `v${version}`), { recursive: true })
    for (const kind of KINDS) {
      writeFileSync(
        join(folder, `v${version}`, `${kind}.json`),
        JSON.stringify(whole(read(join(from, `${kind}.json`)), definitions)),
      )
    }
  }
  rmSync(scratch, { recursive: true })
}

function writeCrds(folder: string): void {
  mkdirSync(join(folder, 'crds'), { recursive: true })
  for (const { module, files } of CRDS) {
    const { Dir: dir } = JSON.parse(
      execFileSync('go', ['mod', 'download', '-json', module], {
        cwd: tmpdir(),
        encoding: 'utf8',
      }),
    )
    for (const file of globSync(join(dir, files))) {
      for (const { kind, spec } of parseAllDocuments(readFileSync(file, 'utf8')).map(
        document => document.toJS(),
      )) {
        if (kind !== 'CustomResourceDefinition') continue
        for (const { name, schema } of spec.versions) {
          const { metadata, ...properties } = schema.openAPIV3Schema.properties
          writeFileSync(
            join(folder, 'crds', `${spec.names.singular}_${name}.json`),
            JSON.stringify({
              ...Object(strict({ ...schema.openAPIV3Schema, properties })),
              additionalProperties: true,
            }),
          )
        }
      }
    }
  }
}

/** Fills the folder. */
export function writeSchemas(folder: string): void {
  writeKinds(folder)
  writeCrds(folder)
}

if (import.meta.main) writeSchemas(process.argv[2] ?? 'schemas')
