// A server that another program's cluster has started, as PM2's cluster mode does.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { login, runMain, startLatchkey } from '../support/server.ts'

/** Starts its last argument by Node's cluster, and ends as that does. */
const FOREIGN = `
import cluster from 'node:cluster'
cluster.setupPrimary({ exec: process.argv.at(-1), args: [], execArgv: [] })
const worker = cluster.fork()
worker.on('exit', code => {
  process.exitCode = code
})
process.on('SIGTERM', () => worker.process.kill('SIGTERM'))
`
const within = [process.execPath, '--input-type=module', '--eval', FOREIGN]

t.test('it serves by itself, and says so', async t => {
  const storeUrl = `sqlite:${join(t.testdir(), 'latchkey.db')}`
  const server = await startLatchkey({ storeUrl, within })
  t.teardown(() => server.stop())
  t.match(await login(server), { token_type: 'Bearer' })
  const line = await server.logged(/another program's cluster has started this server/)
  t.match(JSON.parse(line), { level: 40 })

  const file = `${server.configFile}.several.yaml`
  const several = { store: { url: 'redis://127.0.0.1:1' }, processes: 2 }
  await writeFile(file, JSON.stringify({ ...server.config, ...several }))
  const run = runMain({ LATCHKEY_CONFIG: file }, undefined, within)
  t.equal(await run.ended, 1)
  t.match(
    run.lines.filter(said => said.startsWith('latchkey: ')),
    [/^latchkey: processes: 2 can't be started, .*: start it by itself/],
  )
  t.equal(await server.stop(), 0)
})
