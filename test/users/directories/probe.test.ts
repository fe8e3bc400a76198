// A directory is asked before the first login whether it answers.
import t from 'tap'
import type { NamedDirectory, Verdict } from '../../../src/users/directory/external.ts'
import { probeDirectory } from '../../../src/users/directory/probe.ts'
import { systemRandom } from '../../../src/base/random.ts'
import { commandLine } from '../../support/command-line.ts'
import { freePort } from '../../support/free-port.ts'
import { APP_SECRET, startUserApp } from '../../support/user-app.ts'

const ANN = {
  externalId: '1',
  name: 'a',
  disabled: false,
  attributes: {},
  emailVerified: false,
}

/** What a directory comes to that says this. */
async function probed(
  verify: () => Promise<Verdict>,
  more: Partial<NamedDirectory> = {},
): Promise<string | undefined> {
  let closed = 0
  const directory: NamedDirectory = {
    settings: { name: 'app', migrate: 'none', sub: 'own', timeout: 50, maxInFlight: 1 },
    givesHashes: false,
    verify,
    lookup: async () => ({ kind: 'unasked' }),
    close: async () => {
      closed += 1
    },
    ...more,
  }
  const fault = await probeDirectory(directory, systemRandom)
  return closed === 1 ? fault : 'it was not closed'
}

t.test('whatever gives a verdict on nobody answers', async t => {
  for (const kind of ['wrong', 'unknown'] as const) {
    t.equal(await probed(async () => ({ kind })), undefined)
  }
  const refuses = {
    kind: 'unavailable',
    scope: 'question',
    fault: 'it takes no such name',
  } as const
  t.equal(await probed(async () => refuses), undefined, 'it refuses this name alone')
})

t.test('whatever gives none is named', async t => {
  t.equal(
    await probed(async () => ({ kind: 'unavailable', fault: 'no host' })),
    'no host',
  )
  t.equal(await probed(() => new Promise(() => {})), 'no answer within 50 ms (timeout)')
  t.match(
    await probed(async () => ({ kind: 'ok', identity: ANN })),
    /knows somebody called nobody-/,
  )
  const hash = { kind: 'hash', identity: ANN, passwordHash: 'x', pepper: '' } as const
  t.match(await probed(async () => hash), /whom nobody has ever added/)
})

t.test(
  'a look that would fail between logins is named, where any id may be asked for',
  async t => {
    const unknown = async () => ({ kind: 'unknown' }) as const
    const fails = async () =>
      ({ kind: 'unavailable', fault: 'lookup has no column name' }) as const
    t.equal(
      await probed(unknown, { takesAnyId: true, lookup: fails }),
      'lookup has no column name',
    )
    t.equal(await probed(unknown, { lookup: fails }), undefined, 'an app is not asked')
    const noSuchId = { kind: 'unavailable', scope: 'question', fault: '22P02' } as const
    for (const found of [{ kind: 'gone' }, noSuchId] as const) {
      const lookup = async () => found
      t.equal(await probed(unknown, { takesAnyId: true, lookup }), undefined)
    }
  },
)

t.test('config check asks every directory', async t => {
  const app = await startUserApp()
  t.teardown(() => app.stop())
  const port = await freePort()
  const directory = (name: string, url: string) =>
    `  - { name: ${name}, type: http, url: "${url}", secrets: ["${APP_SECRET}"], mayBePrivate: true }`
  const check = (...directories: string[]) =>
    commandLine(t, {
      more: ['clients: [{ id: mobile }]', 'directories:', ...directories],
    }).latchkey('config check')
  const good = directory('app', `${app.url}/verify`)
  t.match(await check(good), { code: 0, out: /: right, 1 client/ })
  t.match(await check(good, directory('old', `http://127.0.0.1:${port}/verify`)), {
    code: 1,
    err: 'latchkey: directories[1] (old): no answer (ECONNREFUSED)\n',
  })
})
