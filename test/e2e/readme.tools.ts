// The README's five lines of Python.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { blocksOf } from '../support/blocks.ts'
import { runChild } from '../support/children.ts'
import { python } from '../support/python.ts'
import { followReadme } from '../support/readme.ts'

t.test("an API in Python takes the first user's token, and no other", async t => {
  const interpreter = await python()
  const server = await followReadme(t)
  const [, , curl = ''] = blocksOf('README.md', 'First user, first client', 'sh')
  const { access_token: token } = JSON.parse(
    server.shell(curl.replace('curl', 'curl -s')).out,
  )
  const [code = ''] = blocksOf('README.md', 'Protect an API', 'python')
  const file = join(server.directory, 'api.py')
  const call = `
import json, sys
good = claims_of(sys.argv[1])
try:
    claims_of(sys.argv[1][:-8] + "AAAAAAAA")
except jwt.PyJWTError as error:
    print(json.dumps([good["client_id"], type(error).__name__]))
`
  writeFileSync(file, server.here(code) + call)
  const { stdout } = await runChild(interpreter, [file, token], { timeout: 60_000 })
  t.same(JSON.parse(stdout), ['web', 'InvalidSignatureError'])
})
