// Files that are answered from memory: read once, whole, and anew after a failure.
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import { keepFilesInMemory } from '../../src/http/request/files-in-memory.ts'

const folder = await mkdtemp(join(tmpdir(), 'latchkey-files-'))
t.teardown(() => rm(folder, { recursive: true }))

t.test('files in memory', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const streams: ReturnType<typeof createReadStream>[] = []
  keepFilesInMemory(app)
  app.get('/none', async () => 'text')
  app.get('/:name', async (request, reply) => {
    const { name } = request.params as { name: string }
    const { range = 'none' } = request.headers
    const stream = createReadStream(join(folder, name))
    streams.push(stream)
    return reply.header('x-range', range).send(stream)
  })
  await writeFile(join(folder, 'file'), 'one')

  t.test('a file is read once for all', async t => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => app.inject({ url: '/file' })),
    )
    await writeFile(join(folder, 'file'), 'two')
    answers.push(await app.inject({ url: '/file', headers: { range: 'bytes=1-' } }))
    for (const { statusCode, body, headers } of answers) {
      t.strictSame([statusCode, body, headers['x-range']], [200, 'one', 'none'])
    }
    t.equal(streams.filter(({ bytesRead }) => bytesRead > 0).length, 1)
    t.ok(
      streams.every(({ destroyed }) => destroyed),
      'no file stays open',
    )
    t.equal(
      (await app.inject({ url: '/none' })).body,
      'text',
      'other answers go as they are',
    )
  })

  t.test('what could not be read is read anew', async t => {
    await mkdir(join(folder, 'later'))
    t.equal((await app.inject({ url: '/later' })).statusCode, 500)
    await rmdir(join(folder, 'later'))
    await writeFile(join(folder, 'later'), 'here')
    t.equal((await app.inject({ url: '/later' })).body, 'here')
  })
})
