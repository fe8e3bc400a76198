// `node scripts/golden/dump.ts FOLDER NAME`: runs the release in FOLDER, its dependencies included, on SQLite
// and on Redis, and writes what it leaves in them to test/golden/NAME (test/golden/README.md).
import { createHash, generateKeyPairSync } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  dumpRedis,
  GOLDEN,
  GOLDEN_STORES,
  type GoldenStore,
} from '../../test/support/golden.ts'
import { startRedis } from '../../test/support/redis.ts'
import { startRelease } from '../../test/support/release.ts'
import { playScene, REUSE_GRACE_MS } from './scene.ts'

const ISSUER = 'https://id.example.com'
const SECRET = Buffer.from('a test value: no deployment has it').toString('base64url')
const sha256Line = (secret: string) =>
  `sha256:${createHash('sha256').update(secret).digest('base64url')}`

const own = {
  grants: ['password', 'refresh_token'],
  scopes: ['profile', 'orders:read', 'orders:write'],
  audience: ['https://orders.example.com', 'https://mail.example.com'],
}
const CLIENTS = [
  { id: 'mobile', ...own },
  { id: 'web', secrets: [sha256Line('web-secret')], ...own },
]

const [folder, name] = process.argv.slice(2)
if (folder === undefined || name === undefined) {
  console.error('expected the folder of a release, and the name of its dumps')
  process.exit(2)
}
const to = join(GOLDEN, name)
mkdirSync(to)
for (const store of GOLDEN_STORES) await dump(store, resolve(folder), to)
const sums = readdirSync(to).sort().map(sumOf)
writeFileSync(join(to, 'SHA256SUMS'), sums.join(''))

/** As sha256sum writes it. */
function sumOf(file: string): string {
  const sum = createHash('sha256').update(readFileSync(join(to, file)))
  return `${sum.digest('hex')}  ${file}\n`
}

async function dump(store: GoldenStore, folder: string, to: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-golden-'))
  const redis = store === 'redis' ? await startRedis() : undefined
  const file = join(dir, 'latchkey.db')
  const proofKey = makeProofKey()
  try {
    const url = redis?.url ?? `sqlite:${file}`
    const release = await startRelease({ folder, dir, config: configOf(url) })
    const scene = await playScene({ release, folder, issuer: ISSUER, proofKey })
    await release.stop()
    const expected = { issuer: ISSUER, secret: SECRET, ...scene, proofKey }
    const text = `${JSON.stringify(expected, undefined, 2)}\n`
    writeFileSync(join(to, `${store}.expected.json`), text)
    if (redis === undefined) copySqlite(file, join(to, 'sqlite.db'))
    else await copyRedis(redis.url, join(to, 'redis.jsonl'))
  } finally {
    await redis?.stop()
    rmSync(dir, { recursive: true })
  }
}

function configOf(storeUrl: string): Record<string, unknown> {
  return {
    issuer: ISSUER,
    store: { url: storeUrl },
    secrets: [SECRET],
    tokens: { reuseGrace: `${REUSE_GRACE_MS}ms` },
    dpop: { nonce: false },
    // A busy machine waits longer for the next key, and asks for it more often.
    throttle: { perAddress: { max: 100_000, window: '1m' } },
    passwords: { memoryKiB: 64, passes: 1 },
    clients: CLIENTS,
  }
}

/** A JWK, the private half included. */
function makeProofKey(): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const members = Object.entries(privateKey.export({ format: 'jwk' }))
  return Object.fromEntries(members.map(([name, value]) => [name, String(value)]))
}

async function copyRedis(url: string, to: string): Promise<void> {
  const lines = (await dumpRedis(url)).map(entry => `${JSON.stringify(entry)}\n`)
  writeFileSync(to, lines.join(''))
}

/** What is still in the log beside the file goes into it. */
function copySqlite(from: string, to: string): void {
  const db = new DatabaseSync(from)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  copyFileSync(from, to)
}
