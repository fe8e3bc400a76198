// latchkey users why, events and unlock: an operator gets from what a user says to why no login works.
import t from 'tap'
import { createLoginRefusals } from '../../src/users/refusals/login-refusals.ts'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { operator } from '../../src/cli/terminal/operator.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { RefusedLogin } from '../../src/users/refusals/notes.ts'
import { commandLine, SECRET, type CommandLine } from '../support/command-line.ts'

const PASSWORD = 'correct horse battery staple'
const CONFIG = ['attributes: { email: { unique: true } }', 'login: [name, email]']
const ADD = 'users add ann --attribute email=ann@example.com --json'

/** What a server beside the command line has noted. */
async function refuse(
  { withStore }: CommandLine,
  ...refused: RefusedLogin[]
): Promise<void> {
  await withStore(async store => {
    const { note, flush } = createLoginRefusals({
      store: store.loginRefusals,
      secrets: [SECRET],
      login: () => ['name'],
      clock: systemClock,
    })
    for (const one of refused) note(one)
    await flush()
  })
}

const hashOf = createNameInLogs({ secrets: [SECRET], plain: () => false })
const network = '192.0.2.0/24'

t.test('why: by a name, an address, a sub, or the hash that the log shows', async t => {
  const line = commandLine(t, { more: CONFIG })
  const { latchkey } = line
  const [{ sub } = {}] = (await latchkey(ADD, PASSWORD)).records
  await refuse(line, {
    name: 'ANN',
    reason: 'password_wrong',
    clientId: 'mobile',
    network,
  })
  for (const text of ['ann', 'Ann@Example.com', String(sub), hashOf('ann')]) {
    t.match(
      await latchkey(`users why ${text} --json`),
      {
        code: 0,
        records: [
          {
            name: 'ann',
            sub,
            state: 'enabled',
            refusals: [
              {
                reason: 'password_wrong',
                clientId: 'mobile',
                network,
                count: 1,
                until: null,
                meaning: /not the account's/,
                advice: /users passwd/,
              },
            ],
          },
        ],
      },
      text,
    )
  }
  const { out } = await latchkey('users why ann')
  t.match(
    out,
    /^ann is enabled\n.+Z {2}password_wrong {2}client mobile {2}from 192.0.2.0\/24\n/,
  )
  await latchkey('users disable ann')
  t.match(await latchkey('users why ann'), { code: 0, out: /ann is disabled/ })
})

t.test('why: by an address that nobody logs in by', async t => {
  const line = commandLine(t, { more: CONFIG.slice(0, 1) })
  const { latchkey } = line
  const [{ sub } = {}] = (await latchkey(ADD, PASSWORD)).records
  const typed = 'Ann@example.com'
  await refuse(line, { name: typed, reason: 'user_unknown', network })
  for (const text of [typed, hashOf(typed)]) {
    t.match(
      (await latchkey(`users why ${text} --json`)).records,
      [{ name: 'ann', sub, state: 'enabled', refusals: [{ reason: 'user_unknown' }] }],
      text,
    )
  }
})

t.test('why: a name that nobody has, and one that was never refused', async t => {
  const line = commandLine(t, { more: CONFIG })
  const { latchkey } = line
  await refuse(line, { name: 'anne', reason: 'user_unknown', network })
  for (const text of ['anne', hashOf('anne')]) {
    t.match(
      (await latchkey(`users why ${text} --json`)).records,
      [
        {
          name: text,
          sub: null,
          state: 'unknown',
          refusals: [{ reason: 'user_unknown' }],
        },
      ],
      text,
    )
  }
  t.match((await latchkey('users why anne')).out, /anne is nobody.+\n.+client not named/)
  t.match((await latchkey('users why bob')).out, /bob is nobody.+\n.+may take a second/)
})

t.test('why: after a rename, by the new name and by the old one', async t => {
  const line = commandLine(t, { more: CONFIG })
  const { latchkey } = line
  const [account] = (await latchkey(ADD, PASSWORD)).records
  const sub = String(account?.['sub'])
  await refuse(
    line,
    { name: 'ann', sub, reason: 'password_wrong', network },
    { name: 'bob', reason: 'user_unknown', network },
  )
  await latchkey('users rename ann eve')
  t.match((await latchkey('users why eve --json')).records, [
    {
      name: 'eve',
      sub,
      former: null,
      refusals: [{ reason: 'password_wrong', count: 1 }],
    },
  ])
  for (const text of ['ann', hashOf('ann')]) {
    t.match((await latchkey(`users why ${text} --json`)).records, [
      {
        name: text,
        sub: null,
        state: 'unknown',
        former: { name: 'eve', sub },
        refusals: [{ reason: 'password_wrong' }],
      },
    ])
  }
  t.match((await latchkey('users why ann')).out, `eve (${sub}) logged in by it before`)
  await latchkey('users remove eve --yes')
  t.match((await latchkey('users why ann --json')).records, [{ former: null }])
  t.match((await latchkey('users why bob --json')).records, [{ former: null }])
})

t.test('events: one line each', async t => {
  const line = commandLine(t, { more: CONFIG })
  const { latchkey } = line
  await refuse(
    line,
    { name: 'bob', reason: 'user_unknown', network },
    { name: 'bob', reason: 'user_unknown', network },
    { name: 'bob', reason: 'throttled_by_pair', network, retryAfterMs: 60_000 },
  )
  const { records, out } = await latchkey('users events bob --json')
  t.match(records.map(({ reason }) => reason).sort(), [
    'throttled_by_pair',
    'user_unknown',
  ])
  t.equal(out.trim().split('\n').length, 2)
  const shown = await latchkey('users events bob')
  t.match(shown.out, /user_unknown.+2 times since 20/)
  t.match(shown.out, /throttled_by_pair.+until 20/)
  t.match(
    (await latchkey('users events eve')).out,
    /^eve: no login was refused .+may take a second/,
  )
  t.equal((await latchkey('users events eve --json')).out, '')
})

t.test('unlock: forgets, names its actor, and says what still delays', async t => {
  const line = commandLine(t, { more: CONFIG })
  const { latchkey } = line
  const [{ sub } = {}] = (await latchkey(ADD, PASSWORD)).records
  const retryAfterMs = 600_000
  await refuse(
    line,
    { name: 'ann', reason: 'throttled_by_pair', network, retryAfterMs },
    { name: 'ann', reason: 'throttled_by_network', network, retryAfterMs },
  )
  const done = await latchkey('users unlock ann --network 203.0.113.9')
  t.match(done, {
    code: 0,
    out: /ann: failed logins are forgotten \(from 192.0.2.0\/24, 203.0.113.9\)\nstill delayed until/,
  })
  t.equal(done.out.trim().split('\n').length, 2)
  t.match(JSON.parse(done.err).audit, {
    type: 'user.changed',
    sub,
    change: 'unlocked',
    actor: operator(),
  })
  t.match((await latchkey('users unlock ann@example.com --json')).records, [
    { name: 'ann', sub, change: 'unlock', networks: [network], cleared: 0 },
  ])
  await latchkey('users add bob', PASSWORD)
  t.match((await latchkey('users unlock bob')).out, /from nowhere/)
  t.match(await latchkey('users unlock eve'), { code: 1, err: /user unknown: eve/ })
})

t.test('whoever forgot LATCHKEY_CONFIG is told whose store was asked', async t => {
  const { latchkey, directory } = commandLine(t)
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => process.chdir(before))
  const remark = /^LATCHKEY_CONFIG is not set: this is the store of development mode/
  const forgot = { env: {}, showsProgress: true }
  t.match((await latchkey('users why alice', '', forgot)).err, remark)
  t.notMatch((await latchkey('users why alice', '', { env: {} })).err, remark)
  t.notMatch((await latchkey('users why alice', '', { showsProgress: true })).err, remark)
})
