// The files that belong to the project, for what looks at all of them. They are found by .gitignore and not
// by git: somebody who downloaded an archive has no repository, and perhaps no git.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ignore, { type Ignore } from 'ignore'

/** Git's own, which no .gitignore names: a folder, or a file in a second working tree. */
const REPOSITORY = '.git'

/**
 * The paths of a project's files, from its root: all but those that the .gitignore in its root names. Links
 * are left out. Throws where there is no .gitignore.
 */
export function projectFiles(root: string): string[] {
  const lines = readFileSync(join(root, '.gitignore'), 'utf8')
  return filesIn(root, '', ignore().add(REPOSITORY).add(lines))
}

function filesIn(root: string, folder: string, ignored: Ignore): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return entries.flatMap(entry => {
    // A pattern that ends with a slash is for folders: it matches paths that do, too.
    const path = `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`
    if (ignored.ignores(path)) return []
    if (entry.isDirectory()) return filesIn(root, path, ignored)
    return entry.isFile() ? [path] : []
  })
}
