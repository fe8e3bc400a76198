// `latchkey users list`: pages and searches, as an operator types them.
import t from 'tap'
import { declarationsOf } from '../../src/users/attributes/declarations.ts'
import { searchFor } from '../../src/users/directory/search-for.ts'
import { commandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'

const PASSWORD = 'correct horse battery staple'

t.test('users are listed by pages and searched', async t => {
  const { latchkey } = commandLine(t, {
    more: ['attributes: { email: { unique: true }, tenant: { type: string } }'],
  })
  const names = ['Ann', 'anna', 'Bob', 'Jörg']
  for (const name of names) {
    await latchkey(`users add ${name} --attribute email=${name}@example.com`, PASSWORD)
  }
  const namesOf = async (line: string) => {
    const { code, records } = await latchkey(`users list --json ${line}`.trimEnd())
    t.equal(code, 0, line)
    return records.map(({ name, next }) => name ?? `next ${String(next).slice(0, 1)}`)
  }
  t.same(await namesOf(''), names, 'in the order of creation')
  t.same(await namesOf('--limit 5'), names)
  t.same(await namesOf('--limit 4'), [...names, 'next c'])
  t.same(await namesOf('--search AN'), ['Ann', 'anna'])
  t.same(await namesOf('--search jö'), ['Jörg'])
  t.same(await namesOf('--search bob@EX --by email'), ['Bob'])
  t.same(await namesOf('--search a --by email'), ['Ann', 'anna'])

  const walk = async (
    line: string,
    seen: unknown[] = [],
    after = '',
  ): Promise<unknown[]> => {
    const words = ['users list --json --limit 1', line, after]
    const { records } = await latchkey(words.filter(word => word !== '').join(' '))
    const [shown, more] = records
    if (shown === undefined) return seen
    return walk(line, [...seen, shown['name']], `--after ${String(more?.['next'])}`)
  }
  t.same(await walk(''), names)
  t.same(await walk('--search a'), ['Ann', 'anna'])
  const { records } = await latchkey('users list --json --limit 2')
  const cursor = String(records.at(-1)?.['next'])
  t.same(await namesOf(`--after ${cursor}`), ['Bob', 'Jörg'], 'without a limit: the rest')
  t.match((await latchkey('users list --limit 1')).out, /\nmore: --after c[\w-]+\n$/)
  t.match(
    (await latchkey('users list --search x')).out,
    'no account whose name begins with x',
  )
  t.equal((await latchkey('users list --search a --after cYQ --limit 9')).code, 0)

  for (const [line, error] of Object.entries({
    [`--search b --after ${cursor}`]: 'cursor_invalid',
    '--after nonsense': 'cursor_invalid',
    '--search a --by tenant': 'attribute_unknown',
    '--search a --by nothing': 'attribute_unknown',
  })) {
    const { code, err } = await latchkey(`users list --json ${line}`)
    t.equal(code, 1, line)
    t.match(err, new RegExp(`"${error}"`))
  }
  for (const limit of ['0', '1001', '1.5', '-1', 'x', '1e3']) {
    t.equal((await latchkey(`users list --limit ${limit}`)).code, 2, limit)
  }
})

t.test('more than a page is listed whole', async t => {
  const { latchkey, withStore } = commandLine(t)
  const users = Array.from({ length: 1001 }, (_, user) => someAccount(`user-${user}`))
  await withStore(({ directory }) => directory.addAll(users))
  const { records } = await latchkey('users list --search name --json')
  t.equal(records.length, 1001)
})

t.test('what is searched for has the form that is compared', t => {
  const plain = { list: false, unique: true }
  const declarations = declarationsOf({
    email: plain,
    badge: { ...plain, type: 'string' },
    tenant: { ...plain, unique: false },
  })
  const prefixOf = (by: string, text: string) =>
    searchFor({ by, text }, declarations)?.prefix
  t.equal(prefixOf('name', ' ＡＬＩ'), 'ali')
  t.equal(prefixOf('name', ''), '')
  t.equal(prefixOf('email', 'ANN'), 'ann')
  t.equal(prefixOf('email', 'ANN@Bücher.Example'), 'ann@xn--bcher-kva.example')
  t.equal(prefixOf('email', 'ANN@Exam'), 'ann@exam')
  t.equal(prefixOf('email', 'ANN@xn--'), 'ann@xn--', 'no whole domain')
  t.equal(prefixOf('email', 'ANN@'), 'ann@')
  t.equal(prefixOf('badge', 'A\u0308'), 'Ä')
  t.equal(prefixOf('tenant', 'a'), undefined)
  t.end()
})
