// No block of code in our pages is forgotten: it is run, or the table says by what or why not.
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../support/python.ts'
import { BEGINNINGS } from './support/beginnings.ts'
import { allBlocks, blocksIn, fileOf, PAGES } from './support/blocks.ts'
import { isConfiguration, isShown, isWalked, NOT_RUN, notRun } from './support/not-run.ts'
import { SNIPPETS } from './support/snippets.ts'
import { runLines } from './support/shell.ts'
import { assertShown } from './support/shown.ts'

const blocks = allBlocks()

t.test('every block is run, or its row says by what or why not', async t => {
  t.ok(blocks.length > 100)
  for (const [index, block] of blocks.entries()) {
    const { page, line, language, code } = block
    const ways = [
      isWalked(block),
      isConfiguration(block),
      language === 'json',
      isShown(block, blocks[index - 1]),
      SNIPPETS.some(each => each.page === page && code.startsWith(each.begins)),
    ]
    const hasRow = notRun(block) !== undefined
    t.ok(
      ways.includes(true) || hasRow,
      `${page}:${line} (${language}): ${code.split('\n')[0]}`,
    )
  }
})

t.test('every row is needed, and says what is so', async t => {
  for (const { page, begins, by, why } of NOT_RUN) {
    const of = `${page}: ${begins}`
    t.ok(
      blocks.some(block => block.page === page && block.code.startsWith(begins)),
      of,
    )
    t.not(by === undefined, why === undefined, `${of}: a suite, or a reason`)
    if (by === undefined) continue
    const suite = existsSync(join(ROOT, by)) ? readFileSync(join(ROOT, by), 'utf8') : ''
    const [, folder = page] = /^(.+)\/README\.md$/.exec(page) ?? []
    const isThere =
      suite.includes(`${page}'`) || (folder !== page && suite.includes(folder))
    t.ok(isThere, `${by} reads ${page}, or runs its folder`)
  }
  for (const { page, begins } of SNIPPETS) {
    t.ok(blocks.some(block => block.page === page && block.code.startsWith(begins)))
  }
  for (const page of Object.keys(BEGINNINGS)) t.ok(PAGES.includes(page), page)
})

t.test('a block that nobody knows is noticed', async t => {
  const text = ['text', '', '  ```ruby', '  puts 1', '  ```', ''].join('\n')
  const [block] = blocksIn('docs/new.md', text)
  t.strictSame(block, {
    page: 'docs/new.md',
    line: 3,
    language: 'ruby',
    code: 'puts 1\n',
  })
  t.throws(() => blocksIn('docs/new.md', '```sh\n'), /docs\/new.md:1/)
  const [added] = blocksIn('p', '```yaml\n# a.yaml, at its end\nx: 1\n```\n')
  t.strictSame(added && fileOf(added), { name: 'a.yaml', isAdded: true })
})

t.test('what a page shows has to be printed, in its order', async t => {
  assertShown('HTTP/1.1 200 OK\r\n\r\n{"a":"x","b":1}', 'HTTP/1.1 200 OK\n{"a":"…",…}\n')
  t.throws(() => assertShown('b\na\n', 'a\nb\n'), /"b" is not/)
  t.throws(() => assertShown('{"a":1}', '{"a":…"b"}'))
})

t.test('a command that should be refused, and is not, ends the lines', async t => {
  const curl = '#!/bin/sh\nprintf 403\nexit 22\n'
  const directory = t.testdir({ bin: { curl } })
  chmodSync(join(directory, 'bin/curl'), 0o755)
  const { PATH = '' } = process.env
  const shell = { directory, env: { PATH: `${directory}/bin:${PATH}` } }
  const refused = 'fails grep -q b state; answers 403 http://a/'
  t.equal(await runLines(shell, `echo a >state; ${refused}; echo on`), 'on\n')
  await t.rejects(runLines(shell, 'fails true\necho on'))
  const wrong: any = await runLines(shell, 'answers 401 http://a/\necho on').catch(
    (error: unknown) => error,
  )
  t.equal(wrong.stderr, 'answered 403, not 401: http://a/\n')
  for (const never of ['! true', 'true; ! true', 'true && ! true']) {
    await t.rejects(runLines(shell, never), { message: /^no check, write fails: / })
  }
  // The suite of the pages runs elsewhere: here is where such a line is seen at once.
  t.notMatch(JSON.stringify(BEGINNINGS), /(?:\\n|"|;) *! /)
})

t.test(
  'the documentation has every page of its table of contents, and no other',
  async t => {
    const contents = readFileSync(join(ROOT, 'docs/README.md'), 'utf8')
    for (const page of PAGES.filter(name => name.startsWith('docs/'))) {
      if (page === 'docs/README.md' || page.startsWith('docs/decisions/')) continue
      t.ok(contents.includes(`](${page.slice('docs/'.length)})`), page)
    }
  },
)
