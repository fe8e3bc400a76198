// What a command's modules compile to is kept for the next one, by Node's own compile cache. Who can write
// into such a folder decides what this process runs: it is used only where nobody else can.
import { lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'

const OTHERS_WRITE = 0o022
const STICKY = 0o1000

/**
 * Turns the cache on, in `latchkey` under the user's cache folder. Not where coverage is measured, which it
 * blurs, nor where there is no such folder that is the user's alone. NODE_DISABLE_COMPILE_CACHE and
 * NODE_COMPILE_CACHE are Node's own settings, and go first.
 */
export function useCompileCache() {
  const { env, getuid } = process
  if (env.NODE_V8_COVERAGE !== undefined) return
  if (env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const folder = folderOf(env)
  if (folder === undefined || getuid === undefined) return
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const real = realpathSync(folder)
    if (isOurs(real, getuid())) enableCompileCache(real)
  } catch {
    // A file system that takes no writes, or no home: the command starts as it does without.
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
