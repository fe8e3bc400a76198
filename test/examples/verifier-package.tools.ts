// packages/latchkey-verifier, packed and installed: what is in it, its README's code as it stands there, and
// its types for who writes TypeScript.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { installExample } from '../support/installed-example.ts'
import { ROOT } from '../support/python.ts'
import { call, login, startExample, startIssuer } from '../support/resource-server.ts'
import { ORDERS } from '../support/server.ts'

const PACKAGE = 'packages/latchkey-verifier'
const [folder, express] = await Promise.all([
  installExample(t, 'fastify'),
  installExample(t, 'express'),
])
/** The README's apps, in its order, and where what they need is installed. */
const APPS = [
  { name: 'fastify', folder },
  { name: 'express', folder: express },
]

/** A block of the README, with the addresses of a test. */
async function readmeBlock(index: number, issuer: string, port: number) {
  const page = await readFile(join(ROOT, PACKAGE, 'README.md'), 'utf8')
  const [, code = ''] = [...page.matchAll(/```js\n([^]*?)```/g)][index] ?? []
  t.match(code, 'latchkey-verifier')
  return code
    .replaceAll('http://127.0.0.1:3000', issuer)
    .replaceAll('http://127.0.0.1:8000', ORDERS)
    .replaceAll('port: 8000', `port: ${port}`)
    .replaceAll('listen(8000)', `listen(${port})`)
}

t.test('it holds JavaScript and its types, and no source', async t => {
  const installed = join(folder, 'node_modules/latchkey-verifier')
  const files = await readdir(installed, { recursive: true })
  t.ok(files.includes('LICENSE') && files.includes('README.md'))
  t.same(
    files.filter(file => /(?<!\.d)\.ts$/.test(file)),
    [],
  )
  const { exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  for (const file of Object.values<string>(exports)) {
    t.ok(files.includes(file.slice(2)), file)
    t.ok(files.includes(file.slice(2).replace(/js$/, 'd.ts')), `the types of ${file}`)
  }
})

for (const [index, app] of APPS.entries()) {
  t.test(`its README's app for ${app.name} guards its route`, async t => {
    const { latchkey } = await startIssuer(t)
    const port = await freePort()
    const code = await readmeBlock(index, latchkey.url, port)
    t.match(code, `latchkey-verifier/${app.name}`)
    await writeFile(join(app.folder, 'readme.js'), code)
    const api = await startExample(
      { ...app, command: process.execPath, args: () => ['readme.js'] },
      latchkey.url,
      port,
    )
    t.teardown(() => api.stop())
    t.equal((await call(api)).status, 401)
    t.equal((await call(api, (await login(latchkey)).access_token)).status, 200)
    const { access_token: narrow } = await login(latchkey, { scope: 'profile' })
    t.equal((await call(api, narrow)).status, 403)
  })
}

t.test("its README's function for node:http says whose request it is", async t => {
  const { latchkey } = await startIssuer(t)
  const { access_token: token } = await login(latchkey)
  const code = await readmeBlock(APPS.length, latchkey.url, 0)
  const probe = `${code}
    const requestOf = authorization => ({ method: 'GET', url: '/', headers: { authorization } })
    const bearer = await bearerOf(requestOf('Bearer ' + process.argv[2]))
    const refused = await bearerOf(requestOf()).catch(error => error)
    console.log(bearer.client_id, refused instanceof Refusal, refused.statusCode, refused.headers)`
  await writeFile(join(folder, 'probe.js'), probe)
  const { stdout } = await runChild(process.execPath, ['probe.js', token], {
    cwd: folder,
  })
  t.match(
    stdout,
    /^mobile true 401 \{ 'www-authenticate': 'Bearer scope="orders:read"' \}/,
  )
})

t.test('its types are those of Fastify and of a service of TypeScript', async t => {
  const code = `import { createVerifier, type Bearer } from 'latchkey-verifier'
    import { createGuard } from 'latchkey-verifier/fastify'
    import fastify from 'fastify'
    const options = { issuer: 'https://id.example.com', audience: 'orders' }
    const { needs, bearerOf } = createGuard(options)
    fastify().get('/', { onRequest: needs('a', 'b') }, async request => bearerOf(request).sub.length)
    export const bearer: Promise<Bearer> = createVerifier(options)({ authorization: '' }, 'a')`
  const check = async (text: string) => {
    await writeFile(join(folder, 'typed.ts'), text)
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const args = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext']
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
    return runChild(process.execPath, [tsc, ...args, ...types, 'typed.ts'], {
      cwd: folder,
    }).then(
      () => 'fits',
      (error: Error) => String('stdout' in error ? error.stdout : error),
    )
  }
  t.equal(await check(code), 'fits')
  t.match(await check(code.replace("audience: 'orders'", 'audience: 1')), /TS2322|TS2345/)
})
