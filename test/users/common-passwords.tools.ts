// The common passwords that come along are those of the list that docs/decisions/blocklist.md names.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from '../support/children.ts'
import { python, ROOT } from '../support/python.ts'

t.test('made again of the list, the filter is the same', async t => {
  const find = 'import django.contrib.auth as a; print(a.__path__[0])'
  const { stdout } = await runChild(await python(), ['-c', find])
  const list = join(stdout.trim(), 'common-passwords.txt.gz')
  const out = join(t.testdir(), 'made.filter')
  const script = join(ROOT, 'scripts/common-passwords.ts')
  await runChild(process.execPath, [script, list, out])
  const kept = readFileSync(join(ROOT, 'src/users/blocklist/common-passwords.filter'))
  t.ok(readFileSync(out).equals(kept))
})
