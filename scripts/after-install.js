// npm runs this after an install (`prepare`): takes out of node_modules what nobody here reads, 150 MB of it:
// the headers of the Node.js that comes along, source maps, and a compiler that tap brings and doesn't start.
// Plain JavaScript: the Node.js that runs npm may be an older one.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const FOLDERS = [
  // Headers, for compiling add-ons: none is compiled against them.
  /\/node\/node_modules\/node-[^/]+\/(?:include|share)$/,
  // TypeScript's own preview: tshy starts it only where a package asks for `tsgo`.
  /\/@typescript\/native-preview-[^/]+$/,
]
const FILES = /\.(?:js|cjs|mjs|ts|cts|mts|css|wasm)\.map$/

/** Looks through a folder, and takes out what the two lists name. */
function slim(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    const isUnread = entry.isDirectory()
      ? FOLDERS.some(each => each.test(path.replaceAll('\\', '/')))
      : FILES.test(entry.name)
    if (isUnread) rmSync(path, { recursive: true })
    else if (entry.isDirectory()) slim(path)
  }
}

// `npm pack` runs it as well, and changes nothing there.
if (process.env.npm_command !== 'pack' && existsSync('node_modules')) slim('node_modules')
