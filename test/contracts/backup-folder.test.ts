// A folder that a timer fills with back-ups, on each store and by the command line: no half of one counts, no
// whole one goes for it, and nobody takes another store's away.
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import {
  backupFile,
  ownerOf,
  removeOld,
  saveWhole,
} from '../../src/cli/store/backup-folder.ts'
import { openStore } from '../../src/stores/open.ts'
import { commandLine } from '../support/command-line.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const issuer = 'https://id.example.com'
const NIGHTS = ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04'] as const
const TWO_HOURS_S = 7_200

const redis = await startRedis()
t.teardown(() => redis.stop())

/** The URLs of several stores of a kind. */
const STORES: ReadonlyArray<
  readonly [string, (directory: string, number: number) => string]
> = [
  ['SQLite', (directory, number) => `sqlite:${join(directory, `store-${number}.db`)}`],
  ['Redis', (_, number) => redis.url.replace(/0$/, String(number))],
]

/** An empty folder, and commands on stores that have an account. */
function folderOf(t: Test, urlOf: (directory: string, number: number) => string) {
  const { latchkey, directory, file } = commandLine(t)
  const path = join(directory, 'backups')
  mkdirSync(path)
  return {
    path,
    left: () => readdirSync(path).toSorted(),
    async store(number: number) {
      const url = urlOf(directory, number)
      const { store, backups } = await openStore({ ...PATIENT, url, clock: systemClock })
      t.teardown(() => store.close())
      await store.directory.add(someAccount('erin'))
      const folder = { path, owner: ownerOf({ issuer, store: { url } }) }
      const env = { LATCHKEY_CONFIG: file, STORE: url }
      return {
        backups,
        folder,
        fileOf: (day: string) => backupFile(folder, Date.parse(`${day}T03:17:00Z`)),
        run: (line: string) => latchkey(line, '', { env }),
      }
    },
  }
}

/** The name of the file that a command says it has made. */
const madeBy = (out: string) =>
  /latchkey-[\da-f]{8}-20\d\d-\d\d-\d\dT\d{6}Z\.backup(?=:)/.exec(out)?.[0] ?? ''

for (const [kind, urlOf] of STORES) {
  t.test(`${kind}: the newest stay, and what is nobody's back-up`, async t => {
    const { path, left, store } = folderOf(t, urlOf)
    const { fileOf, run } = await store(0)
    const before = NIGHTS.map(fileOf)
    const others = ['latchkey-2026-01-01.backup', 'notes.txt']
    for (const name of others) writeFileSync(join(path, name), '')
    for (const file of before) writeFileSync(file, '')
    const made = await run(`store backup --into ${path} --keep 3`)
    t.match(made, { code: 0, out: /\nremoved 2 older back-ups\n$/, err: /^$/ })
    const name = madeBy(made.out)
    const stay = [...before.slice(2).map(file => basename(file)), name, ...others]
    t.same(left(), stay.toSorted())
    t.equal(statSync(join(path, name)).mode & 0o777, 0o600, 'for its owner only')
    t.match(await run(`store restore ${join(path, name)} --replace`), { code: 0 })
  })

  t.test(`${kind}: all stay where nobody says how many`, async t => {
    const { path, left, store } = folderOf(t, urlOf)
    const { fileOf, run } = await store(0)
    const before = NIGHTS.map(fileOf)
    for (const file of before) writeFileSync(file, '')
    const made = await run(`store backup --into ${path}`)
    t.match(made, { code: 0, err: /^$/ })
    const stay = [...before.map(file => basename(file)), madeBy(made.out)]
    t.same(left(), stay.toSorted())
  })

  t.test(`${kind}: the new one stays whatever the clocks say`, async t => {
    const { path, left, store } = folderOf(t, urlOf)
    const { fileOf, run } = await store(0)
    const [past, ahead] = [fileOf('2026-01-01'), fileOf('2999-01-01')]
    for (const file of [past, ahead]) writeFileSync(file, '')
    const made = await run(`store backup --into ${path} --keep 1`)
    t.match(made, { code: 0, out: /\nremoved 1 older back-up\n$/ })
    t.match(made.err, /^latchkey: 1 back-up in .* with a later time .*2999-01-01T031700Z/)
    t.same(left(), [madeBy(made.out), basename(ahead)])
  })

  t.test(`${kind}: two stores in one folder leave each other's`, async t => {
    const { path, left, store } = folderOf(t, urlOf)
    const [one, other] = [await store(0), await store(1)]
    const line = `store backup --into ${path} --keep 1`
    // Before and behind all others in the order of names.
    const foreign = ['00000000', 'ffffffff'].map(owner => backupFile({ path, owner }, 0))
    for (const file of foreign) writeFileSync(file, '')
    const made = [await one.run(line), await other.run(line)]
    const stay = [
      ...foreign.map(file => basename(file)),
      ...made.map(({ out }) => madeBy(out)),
    ]
    t.same(left(), stay.toSorted())
    t.notOk(made.some(({ out, err }) => out.includes('removed') || err !== ''))
  })

  t.test(`${kind}: a file has its name when it is whole`, async t => {
    const { left, store } = folderOf(t, urlOf)
    const { backups, fileOf, folder } = await store(0)
    const file = fileOf(NIGHTS[0])
    const seen = new Set<string>()
    const { content } = await saveWhole(folder, file, part =>
      backups.save(part, () => left().forEach(name => seen.add(name))),
    )
    t.same([...seen], [`.${basename(file)}.part`], 'while it is made')
    t.match(content, { accounts: 1 })
    t.same(left(), [basename(file)])
    const twice = saveWhole(folder, file, part => backups.save(part))
    await t.rejects(twice, { name: 'BackupRefused', message: /is there already/ })
    const broken = saveWhole(folder, fileOf(NIGHTS[1]), async part => {
      await backups.save(part)
      throw new Error('torn')
    })
    await t.rejects(broken, { message: 'torn' })
    t.same(left(), [basename(file)], 'and nothing of one that fails')
  })

  t.test(`${kind}: what killed runs have left goes, and counts for nothing`, async t => {
    const { path, left, store } = folderOf(t, urlOf)
    const [{ fileOf, run }, other] = [await store(0), await store(1)]
    const partOf = (file: string) => `.${basename(file)}.part`
    const torn = (file: string, agoS: number) => {
      const [part, inside] = [partOf(file), join(path, partOf(file), basename(file))]
      mkdirSync(join(path, part))
      writeFileSync(inside, 'half of it')
      const at = statSync(inside).mtimeMs / 1000 - agoS
      for (const name of [inside, join(path, part)]) utimesSync(name, at, at)
      return part
    }
    torn(fileOf(NIGHTS[0]), TWO_HOURS_S)
    const stay = [
      torn(fileOf(NIGHTS[1]), 60),
      torn(other.fileOf(NIGHTS[0]), TWO_HOURS_S),
      '.notes.part',
      'notes',
    ]
    for (const name of stay.slice(2)) mkdirSync(join(path, name))
    writeFileSync(fileOf(NIGHTS[2]), '')
    const made = await run(`store backup --into ${path} --keep 2`)
    t.match(made, { code: 0, out: /\nremoved 1 unfinished back-up\n$/, err: /^$/ })
    t.same(left(), [...stay, basename(fileOf(NIGHTS[2])), madeBy(made.out)].toSorted())
  })

  t.test(`${kind}: what can't be removed is no fault of the new one`, async t => {
    const { path, left, store } = folderOf(t, urlOf)
    const { fileOf, folder, run } = await store(0)
    const odd = fileOf('2025-01-01')
    mkdirSync(odd)
    const made = await run(`store backup --into ${path} --keep 1`)
    t.match(made, { code: 0, err: /^$/ }, 'a folder is no back-up')
    const newest = join(path, madeBy(made.out))
    t.same(left(), [basename(odd), basename(newest)].toSorted())

    const [first, second] = [fileOf(NIGHTS[0]), fileOf(NIGHTS[1])]
    for (const file of [first, second]) writeFileSync(file, '')
    const why = { [first]: { code: 'EACCES' }, [second]: new Error('so') }
    const remove = async (file: unknown) => Promise.reject(why[String(file)])
    t.same(await removeOld(folder, { keep: 1, newest, remove }), {
      removed: 0,
      warnings: [
        `${first} can't be removed (EACCES)`,
        `${second} can't be removed (Error: so)`,
      ],
    })
    const nowhere = { ...folder, path: join(path, 'nowhere') }
    t.match(await removeOld(nowhere, { keep: 1, newest }), {
      removed: 0,
      warnings: [/nowhere can't be tidied \(ENOENT\)/],
    })
  })
}

t.test('whose a file is: the issuer and the store, not its password', async t => {
  const of = (url: string, of = issuer) => ownerOf({ issuer: of, store: { url } })
  const url = 'redis://redis:6379/0'
  t.equal(of(url), of('redis://user:a%40b@redis:6379/0'))
  t.not(of(url), of('redis://redis:6379/1'))
  t.not(of(url), of(url, 'https://staging.example.com'))
})

t.test('what the command line refuses', async t => {
  const { latchkey, directory } = commandLine(t)
  const none = join(directory, 'none')
  t.match(await latchkey(`store backup --into ${none}`), { code: 1, err: /ENOENT/ })
  const unclear = { code: 1, err: /name a file, or a folder by --into/ }
  for (const args of ['', ` a --into ${none}`, ' a --keep 3', ' --keep 3']) {
    t.match(await latchkey(`store backup${args}`), unclear, args)
  }
  for (const keep of ['0', '-1', 'all', '10000']) {
    const wrong = { code: 2, err: /whole number from 1 to 9999/ }
    t.match(await latchkey(`store backup --into ${none} --keep ${keep}`), wrong, keep)
  }
})
