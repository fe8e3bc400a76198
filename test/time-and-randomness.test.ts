import { join } from 'node:path'
import { ESLint } from 'eslint'
import t from 'tap'

const root = join(import.meta.dirname, '..')

const planted = [
  'Date.now()',
  'new Date()',
  'Date()',
  'performance.now()',
  'process.hrtime.bigint()',
  'process.uptime()',
  'Math.random()',
  'crypto.randomUUID()',
  "import 'node:perf_hooks'",
  "import crypto from 'node:crypto'",
  "import * as crypto from 'node:crypto'",
  "import { webcrypto } from 'node:crypto'",
  "import { randomBytes } from 'node:crypto'",
  "import { randomUUID } from 'crypto'",
  "import { randomInt } from 'node:crypto'",
  "import { getRandomValues } from 'node:crypto'",
]

t.test(
  'only src/base asks the system for the time and for randomness',
  { timeout: 240_000 },
  async t => {
    const eslint = new ESLint({ cwd: root })
    const refused = async (code: string, file: string) => {
      const [result] = await eslint.lintText(`${code}\n`, {
        filePath: join(root, 'src', file),
      })
      return result?.messages.some(({ message }) => message.includes('as an argument'))
    }
    for (const code of planted) {
      t.equal(await refused(code, 'grants/planted.ts'), true, code)
    }
    t.equal(await refused('Date.now()', 'base/clock.ts'), false)
    t.equal(await refused('performance.now()', 'base/clock.ts'), false)
    t.equal(await refused('Math.random()', 'base/clock.ts'), true)
    t.equal(await refused('Math.random()', 'base/random.ts'), false)
    t.equal(await refused('Date.now()', 'base/random.ts'), true)
  },
)
