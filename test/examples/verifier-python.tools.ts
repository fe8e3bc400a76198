// packages/latchkey-verifier-python, packed and installed: its README's code as it stands there.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from '../support/children.ts'
import { python, ROOT } from '../support/python.ts'
import { call, login, startExample, startIssuer } from '../support/resource-server.ts'
import { ORDERS } from '../support/server.ts'

const interpreter = await python()
const folder = await mkdtemp(join(tmpdir(), 'latchkey-verifier-python-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

/** Writes the block of the README that begins so, with the addresses of a test, as a module. */
async function writeBlock(start: string, module: string, issuer: string): Promise<void> {
  const page = await readFile(
    join(ROOT, 'packages/latchkey-verifier-python/README.md'),
    'utf8',
  )
  const blocks = [...page.matchAll(/```python\n([^]*?)```/g)].map(([, code = '']) => code)
  const code = blocks.find(block => block.startsWith(start)) ?? ''
  t.match(code, 'latchkey_verifier')
  const text = code
    .replaceAll('http://127.0.0.1:3000', issuer)
    .replaceAll('http://127.0.0.1:8000', ORDERS)
  await writeFile(join(folder, `${module}.py`), text)
}

const APPS = {
  fastapi: {
    start: 'from typing',
    args: (port: number) => ['-m', 'uvicorn', 'fastapi_app:app', '--port', String(port)],
  },
  flask: {
    start: 'from flask',
    args: (port: number) => [
      '-m',
      'flask',
      '--app',
      'flask_app',
      'run',
      '-p',
      String(port),
    ],
  },
}

for (const [name, { start, args }] of Object.entries(APPS)) {
  t.test(`its README's app for ${name} guards its route`, async t => {
    const { latchkey } = await startIssuer(t)
    await writeBlock(start, `${name}_app`, latchkey.url)
    const api = await startExample(
      { name, folder, command: interpreter, args },
      latchkey.url,
    )
    t.teardown(() => api.stop())
    t.equal((await call(api)).status, 401)
    t.equal((await call(api, (await login(latchkey)).access_token)).status, 200)
    const { access_token: narrow } = await login(latchkey, { scope: 'profile' })
    t.equal((await call(api, narrow)).status, 403)
  })
}

t.test("its README's function says whose request it is", async t => {
  const { latchkey } = await startIssuer(t)
  const { access_token: token } = await login(latchkey)
  await writeBlock('from latchkey_verifier', 'plain', latchkey.url)
  const probe =
    'import sys; from plain import answer\n' +
    'print(answer(f"Bearer {sys.argv[1]}")[0], answer(None), answer("Bearer x")[0])'
  const { stdout } = await runChild(interpreter, ['-c', probe, token], { cwd: folder })
  t.equal(
    stdout.trim(),
    `200 (401, {'WWW-Authenticate': 'Bearer scope="orders:read"'}) 401`,
  )
})

t.test('no fault becomes a verdict on a token', async t => {
  const script = join(ROOT, 'test/examples/verifier_faults.py')
  const { stdout } = await runChild(interpreter, [script], { cwd: folder })
  t.same(JSON.parse(stdout), {
    'no thread': [200, 200],
    'another fault': 503,
    'a good list': [200, 200, 200, true],
    unknown: 503,
    'unknown at once': true,
    proof: [403, 200, 401],
    'no room': true,
  })
})
