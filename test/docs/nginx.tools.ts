// The nginx of docs/how-to/without-kubernetes.md, as the page has it, in front of a server that says what it
// was asked: what a caller writes into X-Forwarded-For reaches nobody.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { ROOT } from '../support/python.ts'
import { PATIENCE_MS, until } from '../support/until.ts'
import { blockOf } from './support/blocks.ts'

const TLS = join(ROOT, 'test/support/tls')

/** The headers with which a request through nginx arrives. */
async function askThrough(port: number): Promise<Record<string, string>> {
  const asked = request({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    headers: { Host: 'id.example.com', 'X-Forwarded-For': '203.0.113.9' },
    timeout: PATIENCE_MS,
  }).end()
  const [answer] = await once(asked, 'response')
  return JSON.parse(await text(answer))
}

t.test('nginx says the address of the caller, and not what the caller says', async t => {
  const backend = createServer(({ headers }, response) => {
    response.end(JSON.stringify(headers))
  }).listen(0, '127.0.0.1')
  t.teardown(() => backend.close())
  await once(backend, 'listening')
  const { port: behind } = backend.address() as AddressInfo
  const [directory, port] = [t.testdir({}), await freePort()]
  const server = blockOf('docs/how-to/without-kubernetes.md', 'server {')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('/etc/ssl/id.example.com.pem', join(TLS, 'server.pem'))
    .replace('/etc/ssl/id.example.com.key', join(TLS, 'server-key.pem'))
    .replace('127.0.0.1:3000', `127.0.0.1:${behind}`)
  const file = join(directory, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; pid ${directory}/nginx.pid; error_log stderr;
    events {}
    http { access_log off; client_body_temp_path ${directory}; proxy_temp_path ${directory}; ${server} }`,
  )
  const nginx = startChild('nginx', ['-p', directory, '-c', file], { stdio: 'inherit' })
  t.teardown(() => nginx.kill('SIGTERM'))
  let headers: Record<string, string> = {}
  await until(async () => {
    headers = await askThrough(port).catch(() => ({}))
    return 'host' in headers
  })
  t.equal(headers['host'], 'id.example.com')
  t.equal(headers['x-forwarded-for'], '127.0.0.1')
})
