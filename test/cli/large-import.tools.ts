// 100,000 accounts, of which no more than a batch is ever in memory; killed on the way and run again, nobody
// is missing.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startChild } from '../support/children.ts'
import { ROOT } from '../support/python.ts'
import { until } from '../support/until.ts'

const ACCOUNTS = 100_000
/** MiB for all objects of JavaScript: the accounts alone would take more. */
const HEAP = 48
const HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'

const folder = t.testdir()
const [file, report, config] = ['users.jsonl', 'report.jsonl', 'latchkey.yaml'].map(
  name => join(folder, name),
) as [string, string, string]

async function writeAccounts(): Promise<void> {
  const out = createWriteStream(file)
  for (let index = 0; index < ACCOUNTS; index++) {
    if (
      !out.write(
        `${JSON.stringify({
          name: `user-${index}@example.com`,
          sub: `id-${index}`,
          passwordHash: HASH,
          roles: ['buyer'],
        })}\n`,
      )
    ) {
      await once(out, 'drain')
    }
  }
  out.end()
  await once(out, 'close')
}

function startImport() {
  const args = [
    `--max-old-space-size=${HEAP}`,
    join(ROOT, 'bin/latchkey.js'),
    '--config',
    config,
    '--json',
    'users',
    'import',
    file,
    '--report',
    report,
  ]
  const child = startChild(process.execPath, args, {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { child, output: text(child.stdout), ended: once(child, 'close') }
}

async function largerThan(name: string, bytes: number): Promise<void> {
  await until(async () => (await stat(name)).size > bytes)
}

t.test('100,000 accounts move in, in two goes', async t => {
  await writeAccounts()
  await writeFile(
    config,
    JSON.stringify({
      issuer: 'https://id.example.com',
      store: { url: `sqlite:${join(folder, 'latchkey.db')}` },
      secrets: ['m'.repeat(43)],
    }),
  )

  const first = startImport()
  await largerThan(report, 500_000)
  first.child.kill('SIGKILL')
  await first.ended

  const second = startImport()
  t.same(await second.ended, [0, null])
  const { imported, alreadyThere, refused } = JSON.parse(
    (await second.output).trim().split('\n').at(-1) ?? '',
  )
  t.comment(`${alreadyThere} were there already, ${imported} were imported`)
  t.equal(imported + alreadyThere, ACCOUNTS)
  t.ok(alreadyThere > 1_000 && imported > 1_000, 'it was cut short')
  t.equal(refused, 0)
})
