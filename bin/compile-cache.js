// What a command's modules compile to is kept for the next one, by Node's own compile cache. Who can write
// into such a folder decides what this process runs: it is used only where nobody else can.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { constants, enableCompileCache } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedDataVersionTag } from 'node:v8'

const OTHERS_WRITE = 0o022
const STICKY = 0o1000

/** Containers whose file system takes no writes have it nevertheless. */
const SHARED_MEMORY = '/dev/shm'

/**
 * Turns the cache on: the one that came with an image, else `latchkey` under the user's cache folder. Not
 * where coverage is measured, which it blurs, nor where there is no such folder that is the user's alone.
 * NODE_DISABLE_COMPILE_CACHE and NODE_COMPILE_CACHE are Node's own settings, and go first.
 */
export function useCompileCache() {
  const { env, getuid } = process
  if (env.NODE_V8_COVERAGE !== undefined) return
  if (env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  if (env.NODE_COMPILE_CACHE !== undefined) return
  if (getuid === undefined) return
  const uid = getuid()
  const brought = broughtFolder()
  if (existsSync(brought)) {
    for (const folder of [tmpdir(), SHARED_MEMORY]) {
      if (useBrought(brought, folder, uid)) return
    }
  }
  const folder = folderOf(env)
  if (folder === undefined) return
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const real = realpathSync(folder)
    if (isOurs(real, uid)) enableCompileCache(real)
  } catch {
    // A file system that takes no writes, or no home: the command starts as it does without.
  }
}

/** Where the cache that came along is, for this Node. */
export function broughtFolder() {
  const name = `${process.version}-${process.arch}`
  return fileURLToPath(new URL(`../compile-cache/${name}`, import.meta.url))
}

/**
 * Node looks below a folder for one that is named after the processor's features and the user. What is in it
 * depends on neither: a link of that name leads to what came along, until the process ends.
 */
function useBrought(brought, temporary, uid) {
  let own
  try {
    own = mkdtempSync(join(realpathSync(temporary), 'latchkey-'))
    process.once('exit', () => rmSync(own, { recursive: true, force: true }))
    const tag = cachedDataVersionTag().toString(16).padStart(8, '0')
    symlinkSync(brought, join(own, `${basename(brought)}-${tag}-${uid}`))
    const { ENABLED } = constants.compileCacheStatus
    return isOurs(own, uid) && enableCompileCache(own).status === ENABLED
  } catch {
    return false
  }
}

function folderOf({ XDG_CACHE_HOME: cache = '', HOME: home = '' }) {
  if (isAbsolute(cache)) return join(cache, 'latchkey')
  return isAbsolute(home) ? join(home, '.cache', 'latchkey') : undefined
}

/** Whether nobody but this user and root can write there, nor replace a folder above it. */
function isOurs(folder, uid) {
  const { uid: owner, mode } = lstatSync(folder)
  if (owner !== uid || mode & OTHERS_WRITE) return false
  for (let above = dirname(folder); ; above = dirname(above)) {
    const { uid: owner, mode } = lstatSync(above)
    if (owner !== uid && owner !== 0) return false
    if (mode & OTHERS_WRITE && !(mode & STICKY)) return false
    if (above === dirname(above)) return true
  }
}
