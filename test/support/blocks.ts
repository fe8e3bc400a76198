// Blocks of code in our own pages, so that tests run what readers type.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/**
 * The blocks of one language in a section of a page, in order. Throws where there is none.
 *
 * @param page its path from the project's root
 * @param heading the section's title
 */
export function blocksOf(page: string, heading: string, language: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const section = text.split(/^##+ /m).find(part => part.startsWith(`${heading}\n`))
  const blocks = (section ?? '').matchAll(/^```(\w*)\n([^]*?)^```$/gm)
  const found = [...blocks].flatMap(([, of, code = '']) =>
    of === language ? [code] : [],
  )
  if (found.length === 0) throw new Error(`${page} has no ${language} under ${heading}`)
  return found
}
