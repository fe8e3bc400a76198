// examples/compose: the file as the Compose Specification's own library reads it, its Redis with the very
// command that the container runs, and the configuration on it. No container engine is needed.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import { PROJECT, run, runWell } from '../deploy/support/commands.ts'
import { startChild } from '../support/children.ts'
import { checkExampleConfig, replaceAll } from '../support/example-config.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'

const FOLDER = join(PROJECT, 'examples/compose')
const PASSWORD = 'f'.repeat(64)

/** What is read of the services, as the library writes them. */
interface Composed {
  readonly services: Record<
    'latchkey' | 'redis',
    {
      readonly command?: readonly string[]
      readonly ports?: readonly { readonly host_ip: string; readonly published: string }[]
      readonly read_only?: boolean
    }
  >
}

const composed: Composed = JSON.parse(
  await runWell('compose-spec', ['-format', 'json', 'compose.yaml'], { cwd: FOLDER }),
)
const dir = await mkdtemp(join(tmpdir(), 'latchkey-compose-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))

t.test('the file is what the specification allows, and nothing else passes', async t => {
  const { latchkey } = composed.services
  t.equal(latchkey.read_only, true)
  t.same(
    latchkey.ports?.map(({ host_ip: host, published }) => [host, published]),
    [['127.0.0.1', '3000']],
    'only the public port, only for this machine',
  )
  const wrong = join(dir, 'compose.yaml')
  await writeFile(
    wrong,
    (await readFile(join(FOLDER, 'compose.yaml'), 'utf8')).replace(
      'read_only:',
      'bogus:',
    ),
  )
  const { code, stderr } = await run('compose-spec', [wrong])
  t.not(code, 0)
  t.match(stderr, /bogus/)
})

t.test('its Redis keeps what it acknowledged, and Latchkey runs on it', async t => {
  const port = await freePort()
  const password = join(dir, 'redis-password')
  const secret = join(dir, 'latchkey-secret')
  await writeFile(password, `${PASSWORD}\n`)
  await writeFile(secret, Buffer.alloc(32, 7).toString('base64'))
  const [shell = '', flag = '', script = ''] = composed.services.redis.command ?? []
  const here = replaceAll(script, [
    ['/run/secrets/redis-password', password],
    ['dir /data', `dir ${dir}\nport ${port}\nbind 127.0.0.1`],
  ])
  const server = startChild(shell, [flag, here], { stdio: 'ignore' })
  // Redis with its shell: they are one group.
  t.teardown(() => process.kill(-Number(server.pid), 'SIGKILL'))
  const client = new Redis({ port, password: PASSWORD, retryStrategy: () => 50 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  await until(async () => (await client.ping()) === 'PONG')
  const kept = await client.config('GET', 'append*', 'maxmemory-policy')
  t.match(
    Object.fromEntries(
      Array.from({ length: kept.length / 2 }, (_, i) => [kept[2 * i], kept[2 * i + 1]]),
    ),
    { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' },
  )
  await checkExampleConfig(t, 'compose', {
    dir,
    replaced: [
      ['/run/secrets/redis-password', password],
      ['/run/secrets/latchkey-secret', secret],
      ['@redis:6379', `@127.0.0.1:${port}`],
    ],
  })
})
