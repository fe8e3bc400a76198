// docs/moving-in.md, walked: 5,000 users, then days of sign-ups, changed passwords, new addresses and bans.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandLine } from '../support/command-line.ts'

const MAP = '--map name=mail,sub=uid,passwordHash=pw,enabled=is_active'
const USERS = 5000

interface Row {
  uid: number
  mail: string
  pw: string
  isActive: boolean
}

/** A bcrypt hash, another one for each number below ten thousand. */
const hashOf = (number: number) =>
  `$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL1${String(number).padStart(4, '0')}y`

const user = (uid: number): Row => ({
  uid,
  mail: `user${uid}@example.com`,
  pw: hashOf(uid),
  isActive: uid % 50 !== 0,
})

t.test('an import, and the deltas of three days', async t => {
  const { latchkey, directory, withStore } = commandLine(t)
  const put = (rows: Iterable<Row>) => {
    const file = join(directory, 'users.csv')
    const lines = [...rows].map(row =>
      [row.uid, row.mail, row.pw, row.isActive ? 't' : 'f'].join(),
    )
    writeFileSync(file, ['uid,mail,pw,is_active', ...lines, ''].join('\n'))
    return file
  }
  const app = new Map(
    Array.from({ length: USERS }, (_, index) => [index + 1, user(index + 1)]),
  )
  const last = async (file: string, more = '') => {
    const { code, records } = await latchkey(`users import ${file} ${MAP}${more} --json`)
    t.equal(code, 0)
    return records
  }
  t.match((await last(put(app.values()), ' --dry-run')).at(-1), { imported: USERS })
  t.match((await last(put(app.values()))).at(-1), { imported: USERS, disabled: 100 })

  for (const day of [1, 2, 3]) {
    const changed = new Set<Row>()
    const change = (uid: number, to: Partial<Row>) => {
      const row = { ...(app.get(uid) ?? user(uid)), ...to }
      app.set(uid, row)
      changed.add(row)
    }
    for (let n = 1; n <= 100; n++) change(USERS + (day - 1) * 100 + n, {})
    for (let n = 1; n <= 20; n++) change(day * 100 + n, { pw: hashOf(9000 + day) })
    for (let n = 31; n <= 40; n++) {
      change(day * 100 + n, { mail: `d${day}-${n}@example.com` })
    }
    for (let n = 51; n <= 55; n++) change(day * 100 + n, { isActive: false })
    const delta = put(changed)
    const dry = await last(delta, ' --update --dry-run')
    const real = await last(delta, ' --update')
    for (const records of [dry, real]) {
      t.match(records.at(-1), { imported: 100, refused: 0 })
      t.match(records.at(-2), {
        updated: 35,
        changes: { password: 20, renamed: 10, disabled: 5 },
      })
    }
  }
  t.match((await last(put(app.values()), ' --update')).at(-1), {
    imported: 0,
    alreadyThere: USERS + 300,
  })
  await withStore(async ({ directory }) => {
    let there = 0
    for await (const { sub, name, passwordHash, disabled } of directory.all()) {
      const row = app.get(Number(sub))
      there += 1
      if (name === row?.mail && passwordHash === row.pw && disabled === !row.isActive) {
        continue
      }
      t.fail(`${sub} is not as in the app`)
    }
    t.equal(there, app.size, 'nobody is lost')
  })
})
