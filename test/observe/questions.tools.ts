// The questions of docs/audit.md: each line for jq is run, as it stands there, on what a real server wrote.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { emitAs } from '../../src/base/events/actor.ts'
import { buildTestApp, PASSWORD } from '../support/app.ts'

const PAGE = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8')
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
const LOGIN = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}

/** The questions and the commands that answer them. */
function questions(): Map<string, string> {
  const [, section = ''] = PAGE.split('## Ten questions')
  const [own = ''] = section.split('<!-- tables')
  const found = own.matchAll(
    /^([A-Z][^\n]*\?)[^`]*?(?:`[^`\n]+`[^`]*?)*\n```sh\n([^]*?)```/gm,
  )
  return new Map([...found].map(([, question = '', command = '']) => [question, command]))
}

/** What a day leaves in the log. */
async function day(t: Test) {
  const server = await buildTestApp({ logLevel: 'info' })
  t.teardown(() => server.close())
  const { post } = server
  const tokens = await server.login()
  const second = (await server.refresh(tokens.refresh_token)).json()
  server.clock.advance(60_000)
  await server.refresh(second.refresh_token)
  server.clock.advance(60_000)
  await server.refresh(tokens.refresh_token)
  await post('/token', { ...LOGIN, password: 'wrong' }, { 'x-request-id': 'the-id' })
  await post('/token', { ...LOGIN, password: 'wrong again' })
  await post('/token', { ...LOGIN, username: 'nobody' })
  for (let at = 0; at < 5; at++) await post('/token', { ...LOGIN, client_id: 'strange' })
  const found = await server.store.directory.byName('alice')
  const sub = String(found?.sub)
  const operator = emitAs('cli:carol', server.core.emit)
  operator({ type: 'user.changed', sub, change: 'disabled' })
  const file = join(t.testdir(), 'audit.log')
  await server.close()
  writeFileSync(file, server.lines.join(''))
  const lines = server.lines.map(line => JSON.parse(line))
  const name = lines.find(({ audit }) => audit?.type === 'login.succeeded').audit.username
  return { sub, name, directory: join(file, '..') }
}

t.test('each question is answered', async t => {
  const { sub, name, directory } = await day(t)
  const answers: Record<string, RegExp[]> = {
    'Why is she refused?': [
      RegExp(`^${TIME} login.failed password_wrong 127.0.0.0/24$`),
      RegExp(`^${TIME} login.failed password_wrong 127.0.0.0/24$`),
    ],
    'From where did she log in, and when was a network new?': [
      RegExp(`^${TIME} 127.0.0.0/24 known: (true|false)$`),
    ],
    'Which sessions were ended because a refresh token was stolen?': [
      RegExp(`^${TIME} ${sub} \\S+ mobile$`),
    ],
    'Which networks guess passwords, the busiest first?': [/^3 127.0.0.0\/24 2 names$/],
    'Whose passwords are guessed, and from how many networks?': [
      RegExp(`^2 ${name} 1 networks$`),
      /^1 \S+ 1 networks$/,
    ],
    'Why are logins refused, by reason?': [/^2 password_wrong$/, /^1 user_unknown$/],
    'Which clients are refused?': [/^5 strange client_unknown$/],
    'Who changed this account (`SUB`), and what?': [
      RegExp(`^${TIME} added -$`),
      RegExp(`^${TIME} disabled cli:carol$`),
    ],
    'What did each operator do?': [/^1 cli:carol user.changed disabled$/],
    'What became of this request (`ID` is the `X-Request-Id` of its answer)?': [
      /"type":"login.failed"/,
      /"msg":"refused"/,
      /"msg":"answered"/,
    ],
  }
  const asked = questions()
  t.same([...asked.keys()], Object.keys(answers), 'all ten, and no other')
  t.equal(asked.size, 10)
  const env = {
    ...process.env,
    NAME: name,
    SUB: sub,
    ID: 'the-id',
  }
  for (const [question, command] of asked) {
    const text = execFileSync('sh', ['-c', command], {
      cwd: directory,
      encoding: 'utf8',
      env,
    })
    const lines = text.trimEnd().split('\n')
    const expected = answers[question] ?? []
    t.equal(lines.length, expected.length, `${question}\n${text}`)
    for (const [at, pattern] of expected.entries()) {
      t.match(lines[at], pattern, question)
    }
  }
})
