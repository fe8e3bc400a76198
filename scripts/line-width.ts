// Names every line of the project that is wider than 110 columns: `node scripts/line-width.ts`. ESLint and
// Prettier leave strings, shell, Lua, YAML and the examples' languages alone; this looks at all of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectFiles } from './project-files.ts'

const ROOT = join(import.meta.dirname, '..')
const MOST_COLUMNS = 110

/** What isn't laid out by hand, with the reason. */
const EXCEPTIONS: ReadonlyArray<{ reason: string; files: RegExp }> = [
  {
    reason: 'a filter has no lines',
    files: /\.filter$/,
  },
  {
    reason: "JSON can't break a string",
    files: /\.(json|jsonl)$/,
  },
  {
    reason: 'package managers write their locks',
    files: /(^|\/)(go\.sum|Cargo\.lock|constraints\.txt)$/,
  },
  {
    reason: 'the stores of a release are compared byte by byte',
    files: /^test\/golden\//,
  },
]

/** Neither a table's row can be broken, nor an address, nor a command with one that people copy. */
const MARKDOWN_EXCEPTION = /^\s*\|.*\|$|https?:\/\//

interface WideLine {
  line: number
  columns: number
}

/** The lines of a file that are too wide. A column is a character, however many bytes it takes. */
export function wideLines(file: string, text: string): WideLine[] {
  const isBinary = text.includes('\0')
  if (isBinary || EXCEPTIONS.some(({ files }) => files.test(file))) return []
  return text.split('\n').flatMap((content, index) => {
    const columns = [...content].length
    if (columns <= MOST_COLUMNS) return []
    if (file.endsWith('.md') && MARKDOWN_EXCEPTION.test(content)) return []
    return [{ line: index + 1, columns }]
  })
}

function main(): void {
  for (const file of projectFiles(ROOT)) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const { line, columns } of wideLines(file, text)) {
      console.error(`${file}:${line}: ${columns} columns, ${MOST_COLUMNS} at most`)
      process.exitCode = 1
    }
  }
}

if (import.meta.main) main()
