// Every command and every block of code in our pages, run in order against a real Latchkey, page by page.
// What can't run stands in support/not-run.ts, with the reason. `LATCHKEY_PAGES=docs/cli.md` before
// `npm run test:docs` runs that page alone.
import { join } from 'node:path'
import t from 'tap'
import { runChild } from '../support/children.ts'
import { python } from '../support/python.ts'
import { BEGINNINGS } from './support/beginnings.ts'
import { allBlocks, fileOf, type Block } from './support/blocks.ts'
import { isShown, isWalked, notRun } from './support/not-run.ts'
import { SNIPPETS, type Snippet } from './support/snippets.ts'
import { beginWalk, type Walk } from './support/walk.ts'

// Two dozen pages in one file: on a machine that others keep busy they took half an hour.
t.setTimeout(3_600_000)

const { LATCHKEY_PAGES } = process.env
const pages = Map.groupBy(allBlocks(), ({ page }) => page)

const snippetOf = ({ page, code }: Block): Snippet | undefined =>
  SNIPPETS.find(each => each.page === page && code.startsWith(each.begins))

for (const [page, blocks] of pages) {
  if (LATCHKEY_PAGES !== undefined && !LATCHKEY_PAGES.split(',').includes(page)) continue
  const here = blocks.filter(
    block =>
      notRun(block) === undefined && (isWalked(block) || snippetOf(block) !== undefined),
  )
  if (here.length === 0) continue
  t.test(page, async t => {
    const beginning = BEGINNINGS[page]
    const walk = await beginWalk(t, blocks, beginning)
    for (const block of here) {
      await t.resolves(take(walk, block, blocks), `${page}:${block.line}`)
    }
    const { checks } = beginning ?? {}
    if (checks !== undefined) {
      await t.resolves(walk.type(checks), 'what the page promises')
    }
  })
}

async function take(walk: Walk, block: Block, all: readonly Block[]): Promise<void> {
  const snippet = snippetOf(block)
  if (snippet !== undefined) {
    await complete(walk, block, snippet)
    return
  }
  const next = all[all.indexOf(block) + 1]
  await walk.follow(block, next !== undefined && isShown(next, block) ? next : undefined)
  await compile(walk, block)
}

async function complete(
  walk: Walk,
  { code }: Block,
  { language, before = '', after, prints }: Snippet,
): Promise<void> {
  const printed = await walk.run(language, `${before}${code}${after}\n`)
  if (printed.trim() !== prints) throw new Error(`it prints ${printed}`)
}

/** A file of Python is well formed, also where the page runs it later. */
async function compile(walk: Walk, block: Block): Promise<void> {
  const file = fileOf(block)
  if (file?.name.endsWith('.py') !== true) return
  const program = 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")'
  await runChild(await python(), ['-c', program, join(walk.directory, file.name)])
}
