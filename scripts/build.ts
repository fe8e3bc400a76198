// Makes `dist/`, what a packed Latchkey runs instead of `src/`: JavaScript, for Node strips no types under
// node_modules, and the Lua scripts, templates of mails and common passwords beside it. `npm pack` runs it.
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { extname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

rmSync(root('dist'), { recursive: true, force: true })
const tsc = [
  root('node_modules/typescript/bin/tsc'),
  '--project',
  root('tsconfig.build.json'),
]
execFileSync(process.execPath, tsc, { stdio: 'inherit' })
cpSync(root('src/stores/redis/scripts'), root('dist/stores/redis/scripts'), {
  recursive: true,
  filter: source => ['', '.lua'].includes(extname(source)),
})
cpSync(
  root('src/users/blocklist/common-passwords.filter'),
  root('dist/users/blocklist/common-passwords.filter'),
)
cpSync(root('src/outbox/mail/templates'), root('dist/outbox/mail/templates'), {
  recursive: true,
})
