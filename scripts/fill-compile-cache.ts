// Fills compile-cache/ with what the files of bundle/ compile to, for an image: bin/compile-cache.js reads it
// there. With the architecture of the image, by its name there: nothing can be compiled for another one.
//   node --hash-seed=1 --random-seed=1 --min-semi-space-size=256 --max-semi-space-size=256 \
//     scripts/fill-compile-cache.ts amd64
// These flags make the same files of the same source each time: nothing is drawn by lot, and no memory is
// used twice, as what was in it before would stay in the gaps between what V8 writes.
import { mkdirSync, renameSync } from 'node:fs'
import { enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { ENTRIES } from './bundle/entries.ts'

// V8 refuses at a server's start what was compiled under other flags: those above have done their part.
const AS_A_SERVER = [
  'hash-seed',
  'random-seed',
  'min-semi-space-size',
  'max-semi-space-size',
]

const root = fileURLToPath(new URL('../compile-cache', import.meta.url))
mkdirSync(root)
const [, , architecture = ''] = process.argv
if ((architecture === 'amd64' ? 'x64' : architecture) === process.arch) {
  for (const flag of AS_A_SERVER) setFlagsFromString(`--${flag}=0`)
  enableCompileCache(root)
  const filled = getCompileCacheDir()
  if (filled === undefined) throw new Error('Node keeps no compile cache here')
  for (const name of Object.keys(ENTRIES)) await import(`../bundle/${name}.js`)
  flushCompileCache()
  renameSync(filled, join(root, `${process.version}-${process.arch}`))
} else {
  console.log(`nothing is compiled for ${architecture}: this is ${process.arch}`)
}
