// Lays out Markdown at 110 columns: `node scripts/markdown.ts` writes the files anew, with `--check` it only
// names those that aren't as it would write them. Prettier does the work; the tables are left unpadded, as
// their cells hold sentences.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'prettier'
import { projectFiles } from './project-files.ts'

const ROOT = join(import.meta.dirname, '..')
const FENCE = /^\s*(?:```|~~~)/
const TABLE_ROW = /^(?<indent>\s*)(?<row>\|.*\|)$/
const RULE = /^\|[\s:|-]+\|$/

/** Markdown, laid out: prose wrapped at 110 columns, tables without padding, code left as it is. */
export async function layOut(markdown: string): Promise<string> {
  const text = await format(markdown, {
    parser: 'markdown',
    proseWrap: 'always',
    printWidth: 110,
    embeddedLanguageFormatting: 'off',
  })
  let fenced = false
  const lines = text.split('\n').map(line => {
    if (FENCE.test(line)) fenced = !fenced
    return fenced ? line : unpadded(line)
  })
  return lines.join('\n')
}

function unpadded(line: string): string {
  const { indent = '', row } = TABLE_ROW.exec(line)?.groups ?? {}
  if (row === undefined) return line
  if (RULE.test(row)) {
    return indent + row.replaceAll(/-+/g, '---').replaceAll(/ +/g, ' ')
  }
  return indent + row.replaceAll(/ {2,}(?=\|)/g, ' ').replaceAll(/\| {2,}/g, '| ')
}

async function main(checkOnly: boolean): Promise<void> {
  for (const file of projectFiles(ROOT).filter(name => name.endsWith('.md'))) {
    const path = join(ROOT, file)
    const text = readFileSync(path, 'utf8')
    const laidOut = await layOut(text)
    if (laidOut === text) continue
    if (!checkOnly) writeFileSync(path, laidOut)
    else {
      console.error(`${file} isn't laid out: run \`npm run format\`.`)
      process.exitCode = 1
    }
  }
}

if (import.meta.main) await main(process.argv.includes('--check'))
