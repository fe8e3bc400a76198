// Writes the interop table of README.md from test results: `node scripts/interop-table.ts [--check] REPORT…`
// reads the raw TAP of each run for what test/support/interop.ts noted in subtests that passed. With --check
// it writes nothing, and fails where the README says something else.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Parser } from 'tap-parser'
import { layOut } from './markdown.ts'

/** What is proven of a client or a verifier, and what the table calls it. */
export const PROOFS = {
  login: 'password grant',
  refresh: 'refresh',
  client_credentials: 'client credentials',
  revoke: 'revocation',
  introspect: 'introspection',
  'signed introspection': 'RFC 9701',
  private_key_jwt: 'private_key_jwt',
  dpop: 'DPoP',
  verify: 'verifies, refuses bad tokens',
  'id token': 'ID token',
  'key turns': 'key turns',
  'status list': 'status list',
} as const

/** What tap-parser read: of which kind it is, and what it carries; a subtest carries events. */
type Event = readonly [kind: string, ...carried: readonly unknown[]]

/** The name of a proof in a test. */
export type Proof = keyof typeof PROOFS

const ROOT = new URL('../', import.meta.url)
const TABLE =
  /(<!-- interop: written by scripts\/interop-table.ts -->\n)[^]*(<!-- end of interop -->)/
const NOTE = /^# interop: (.+): (.+)\n$/

/**
 * The text of README.md: `page` with its table written anew.
 *
 * @throws Error when the results tell of nothing, or of a proof that there is none of
 */
export function withTable(page: string, reports: readonly string[]): string {
  const proven = new Map<string, Set<string>>()
  for (const report of reports) collect(Parser.parse(report), true, proven)
  if (proven.size === 0) throw new Error('no report tells of interoperation')
  return page.replace(
    TABLE,
    (_, head: string, tail: string) => `${head}${tableOf(proven)}${tail}`,
  )
}

// A subtest's events come before the line that says whether it passed.
function collect(
  events: readonly Event[],
  passed: boolean,
  proven: Map<string, Set<string>>,
): void {
  for (const [index, [kind, body]] of events.entries()) {
    if (kind === 'child' && Array.isArray(body)) {
      collect(body, isPassed(events, index), proven)
    }
    if (kind === 'comment' && passed) note(String(body), proven)
  }
}

function isPassed(events: readonly Event[], child: number): boolean {
  const [, verdict] = events.slice(child).find(([kind]) => kind === 'assert') ?? []
  return Object(verdict).ok === true
}

function note(comment: string, proven: Map<string, Set<string>>): void {
  const [, software, proofs = ''] = NOTE.exec(comment) ?? []
  if (software === undefined) return
  const known = proven.get(software) ?? new Set()
  for (const proof of proofs.split(', ')) known.add(proof)
  proven.set(software, known)
}

function tableOf(proven: ReadonlyMap<string, ReadonlySet<string>>): string {
  const all = new Set([...proven.values()].flatMap(proofs => [...proofs]))
  for (const proof of all) {
    if (!Object.hasOwn(PROOFS, proof)) throw new Error(`nobody knows the proof ${proof}`)
  }
  const columns = Object.entries(PROOFS).filter(([proof]) => all.has(proof))
  const rows = [...proven]
    .map(([software, proofs]) => [
      named(software),
      ...columns.map(([proof]) => (proofs.has(proof) ? '✓' : '')),
    ])
    .sort(byName)
  return [
    ['client or verifier', ...columns.map(([, title]) => title)],
    ['---', ...columns.map(() => ':-:')],
    ...rows,
  ]
    .map(cells => `| ${cells.join(' | ')} |\n`)
    .join('')
}

function byName([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return a.toLowerCase() < b.toLowerCase() ? -1 : 1
}

// With the version that the tests ran, where the name is that of a package of ours for Node or Python.
function named(software: string): string {
  return software
    .split(' with ')
    .map(name => [name, versionOf(name)].filter(Boolean).join(' '))
    .join(' with ')
}

function versionOf(name: string): string | undefined {
  const manifest = new URL(`node_modules/${name}/package.json`, ROOT)
  if (existsSync(manifest)) {
    return String(JSON.parse(readFileSync(manifest, 'utf8')).version)
  }
  const pins = readFileSync(new URL('test/interop/python/constraints.txt', ROOT), 'utf8')
  return pins
    .split('\n')
    .map(pin => pin.split('=='))
    .find(([pinned]) => pinned === name)?.[1]
}

async function main(): Promise<void> {
  const {
    values: { check },
    positionals,
  } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true })
  const readme = new URL('README.md', ROOT)
  const page = readFileSync(readme, 'utf8')
  const reports = positionals.map(file => readFileSync(file, 'utf8'))
  const text = await layOut(withTable(page, reports))
  if (!check) return writeFileSync(readme, text)
  if (text === page) return
  console.log(
    `README.md's interop table isn't what the tests proved (npm run interop writes ` +
      `it):\n${TABLE.exec(text)?.[0]}`,
  )
  process.exitCode = 1
}

if (import.meta.main) await main()
