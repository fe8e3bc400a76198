// latchkey config check: it says what a start would meet, and leaves everything as it is.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { runChild } from '../support/children.ts'
import { commandLine, SECRET } from '../support/command-line.ts'
import { startRedis } from '../support/redis.ts'
import { PATIENT, until } from '../support/until.ts'

/** A check of a store by its URL, and all files that are there. */
function scene(t: Test, more: readonly string[] = []) {
  const line = commandLine(t, { more })
  const { latchkey, file, directory } = line
  return {
    ...line,
    check: (url: string, env: Record<string, string> = {}) =>
      latchkey('config check', '', {
        env: { LATCHKEY_CONFIG: file, STORE: url, ...env },
      }),
    there: () => readdirSync(directory, { recursive: true }).toSorted(),
  }
}

const inFolder = (t: Test, directory: string) => {
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => process.chdir(before))
}

t.test('what is not there yet is not made', async t => {
  const { latchkey, check, there, file, directory, storeUrl } = scene(t)
  inFolder(t, directory)
  const empty = there()
  for (const url of [storeUrl, `sqlite:${directory}/a/b/latchkey.db`, 'sqlite:c/x.db']) {
    t.match(
      await check(url),
      { code: 0, out: `${file}: right, 1 client, a start makes the store\n` },
      url,
    )
  }
  t.match(await latchkey('config check --json', '', { env: {} }), {
    code: 0,
    records: [
      {
        config: 'development mode',
        clients: 2,
        store: 'new',
        risks: [],
        warnings: [],
      },
    ],
  })
  t.strictSame(there(), empty, 'no folder and no file')
})

t.test('a file that is there is looked at, and stays as it is', async t => {
  const { check, there, directory, storeUrl } = scene(t)
  const file = join(directory, 'latchkey.db')
  await createSqliteStore({ file, clock: Date.now }).close()
  const made = there()
  t.match(await check(storeUrl), { code: 0, out: /, the store takes writes\n$/ })
  t.strictSame(there(), made, 'no write-ahead log')

  const other = new DatabaseSync(file)
  t.teardown(() => other.close())
  other.exec('UPDATE format SET steps = 5')
  t.match(await check(storeUrl), {
    code: 0,
    out: /, a start brings the store up to date\n$/,
  })
  t.equal(other.prepare('SELECT steps FROM format').get()?.['steps'], 5)
  other.exec('UPDATE format SET steps = 999')
  t.match(await check(storeUrl), {
    code: 0,
    out: /, the store takes writes\nwarning: .*newer/,
  })
  other.exec('PRAGMA user_version = 999')
  t.match(await check(storeUrl), { code: 1, err: /format 999, and this one knows/ })
})

t.test('what a start could not use is named', async t => {
  const { check, there, file, directory } = scene(t)
  const before = there()
  t.match(await check(`sqlite:${file}`), { code: 1, err: /yaml is damaged \(/ })
  t.match(await check(`sqlite:${file}/x.db`), {
    code: 1,
    err: /^latchkey: the store is unavailable: the SQLite file .*\/x\.db can't be used: .*yaml is no folder/,
  })
  t.match(await check(`sqlite:${directory}`), { code: 1, err: /can't be used: unable/ })
  for (const [url, expected] of [
    ['redis://lk:100%sure@h/0', 'user and password percent-encoded (% as %25'],
    ['redis://lk:pass/w@rd@h/0', 'user and password percent-encoded (% as %25'],
    ['redis://h/0\n', 'the environment variable STORE to have no line break at its end'],
    ['sqlite:///./app.db', 'a path right behind sqlite:, such as sqlite:/data/'],
    ['sqlite::memory:', 'a file, such as sqlite:/data/latchkey.db'],
    ['sqlite:file:x?mode=ro', 'a path and no file: URI, such as'],
  ] as const) {
    const { code, err } = await check(url)
    t.equal(code, 1, url)
    t.ok(err.includes(`store.url: expected ${expected}`), err)
    t.notMatch(err, /100%sure|pass\/w@rd|at .*\.ts:/)
  }
  t.strictSame(there(), before)
})

t.test('an issuer of plain http is allowed, with a warning', async t => {
  const { latchkey, directory, storeUrl } = scene(t)
  const plain = join(directory, 'plain.yaml')
  writeFileSync(
    plain,
    `issuer: http://latchkey:3000\nallowHttp: true\nsecrets: [${SECRET}]\nstore: { url: "${storeUrl}" }\n`,
  )
  t.match(await latchkey(`--config ${plain} config check`, '', { env: {} }), {
    code: 0,
    out: /^warning: PLAIN HTTP: the issuer http:\/\/latchkey:3000 is not https/m,
  })
})

t.test('an audit log that can not be written is named, and none is made', async t => {
  // eslint-disable-next-line no-template-curly-in-string -- the configuration writes its variables so
  const { check, directory, file, storeUrl } = scene(t, ['audit: { to: "${AUDIT}" }'])
  const at = (to: string) => check(storeUrl, { AUDIT: to })
  t.match(await at(join(directory, 'audit.log')), { code: 0 })
  t.notOk(existsSync(join(directory, 'audit.log')))
  t.match(await at(file), { code: 0 })
  t.match(await at('/nowhere/audit.log'), {
    code: 1,
    err: 'latchkey: audit.to: expected a file that can be written: /nowhere/audit.log\n',
  })
})

t.test('Redis: nothing stays behind, and data that is lost is a refusal', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { check } = scene(t)
  t.match(await check(redis.url), { code: 0, out: /, the store takes writes\n/ })
  const { stdout } = await runChild('redis-cli', ['-p', String(redis.port), 'KEYS', '*'])
  t.equal(stdout.trim(), '', 'no key')
  const store = await createRedisStore({
    ...PATIENT,
    url: redis.url,
    lossPeriodMs: 3_600_000,
  })
  t.teardown(() => store.close())
  const { client } = store
  await client.flushall()
  await until(() => store.condition().isLost)
  t.match(await check(redis.url), {
    code: 1,
    out: '',
    err: new RegExp(
      '^latchkey: the store has lost its data \\(1h left\\): ' +
        '.*back-up is restored, or `latchkey store accept`',
    ),
  })
  await store.acceptLoss()
  t.match(await check(redis.url), { code: 0 })
})

t.test('templates of mails are read, and what is wrong is said', async t => {
  const mail = '{ host: smtp.example.com, from: a@b.example, templates: mails }'
  const { check, storeUrl, directory } = scene(t, [`notify: { mail: ${mail} }`])
  inFolder(t, directory)
  const file = join('mails', 'ticket.recovery.en.txt')
  mkdirSync('mails')
  writeFileSync(file, 'Subject: Mine\n\n{{link}}\n')
  t.match(await check(storeUrl), { code: 0 })
  writeFileSync(file, 'Subject: Mine\n\n{{link}}\n{{nmae}}\n')
  t.match(await check(storeUrl), {
    code: 1,
    err: `notify.mail.templates: ${file}, line 4: no such placeholder: nmae`,
  })
})
