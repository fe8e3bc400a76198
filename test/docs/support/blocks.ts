// Every block of code in our pages, in order.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../support/python.ts'

/** A block of code, without the indentation of a list that it stands in. */
export interface Block {
  /** Its page's path from the project's root. */
  readonly page: string
  /** The line of its fence. */
  readonly line: number
  /** As the fence names it; empty where it names none. */
  readonly language: string
  readonly code: string
}

const FOLDERS = ['docs', 'examples', 'packages', 'helm']
const FENCE = /^(?<indent> *)```(?<language>[\w-]*)[^`]*$/

/** The pages of the project that people read. */
export const PAGES: readonly string[] = globSync(
  ['*.md', ...FOLDERS.map(folder => `${folder}/**/*.md`)],
  { cwd: ROOT, exclude: path => path.includes('node_modules') },
).sort()

/** The text of a page. */
export const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** The blocks of a page's text. */
export function blocksIn(page: string, text: string): Block[] {
  const blocks: Block[] = []
  let open: { line: number; language: string; indent: number; code: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fence = FENCE.exec(line)?.groups
    if (open === undefined) {
      if (fence === undefined) continue
      const { indent = '', language = '' } = fence
      open = { line: index + 1, language, indent: indent.length, code: [] }
    } else if (fence?.['language'] === '') {
      const { line: at, language, code } = open
      blocks.push({ page, line: at, language, code: `${code.join('\n')}\n` })
      open = undefined
    } else {
      open.code.push(line.slice(0, open.indent).trim() + line.slice(open.indent))
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: a block without an end`)
  return blocks
}

/** All blocks of all pages. */
export const allBlocks = (): Block[] =>
  PAGES.flatMap(page => blocksIn(page, textOf(page)))

/**
 * The code of a page's block, for a suite that runs it elsewhere (not-run.ts names it).
 *
 * @throws Error where no block of that page begins so
 */
export function blockOf(page: string, begins: string): string {
  const found = blocksIn(page, textOf(page)).find(({ code }) => code.startsWith(begins))
  if (found === undefined) throw new Error(`${page} has no block ${begins}`)
  return found.code
}

/** The file that a block is, by its first line (`# main.py`), and whether it is added to one. */
export function fileOf({ code }: Block): { name: string; isAdded: boolean } | undefined {
  const [, name, added] = /^(?:#|\/\/) ([\w.-]+\.\w+)(, at its end)?\n/.exec(code) ?? []
  return name === undefined ? undefined : { name, isAdded: added !== undefined }
}
