// Names every line of the project that is wider than 110 columns: `node scripts/line-width.ts`. ESLint and
// Prettier leave strings, shell, Lua, YAML and the examples' languages alone; this looks at all of them.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

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
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  for (const file of files.split('\n').filter(name => name !== '')) {
    const path = join(ROOT, file)
    if (!existsSync(path)) continue
    for (const { line, columns } of wideLines(file, readFileSync(path, 'utf8'))) {
      console.error(`${file}:${line}: ${columns} columns, ${MOST_COLUMNS} at most`)
      process.exitCode = 1
    }
  }
}

if (import.meta.main) main()
