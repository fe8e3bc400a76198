// What Okta, Entra ID and authentik send (requests.json names where they say so), replayed, and the same
// requests damaged in many ways: none may be answered 5xx, change anything where it is refused, or leave
// anything behind. LATCHKEY_FUZZ says how many.
import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { userTag } from '../../../../src/base/ids.ts'
import { STORES } from '../../../conformance/helpers.ts'
import { GROUP, scimOn, USER, type ScimBench } from '../../../support/scim.ts'
import { everyOne } from '../../../support/stores.ts'
import recorded from './requests.json' with { type: 'json' }

const SEARCH = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'
const COUNT = Number(process.env['LATCHKEY_FUZZ'] ?? 600)

/** Two users and a group, and what puts their ids into a request. */
async function prepared(bench: ScimBench) {
  const user = await bench.add('ann')
  const fresh = await bench.add('bea')
  const body = { schemas: [GROUP], displayName: 'staff' }
  const group = (await bench.call('POST', '/Groups', { body })).json()
  const ids = { '{user}': user.id, '{fresh}': fresh.id, '{group}': String(group.id) }
  const filled = (text: string) =>
    Object.entries(ids).reduce((done, [name, id]) => done.replaceAll(name, id), text)
  return { user, filled }
}

for (const store of STORES) {
  t.test(`recorded requests, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const { filled } = await prepared(bench)
    for (const request of recorded.requests) {
      const { of, method, path, body, status, answer, has = [], lacks = [] } = request
      const name = `${of}: ${method} ${path}`
      const got = await bench.call(method as 'GET', filled(path), {
        ...(body !== undefined && { body: filled(JSON.stringify(body)) }),
      })
      t.equal(got.statusCode, status, `${name} ${got.body}`)
      if (answer !== undefined) {
        t.match(got.json(), JSON.parse(filled(JSON.stringify(answer))), name)
      }
      for (const text of has) t.ok(got.body.includes(filled(text)), `${name}: ${text}`)
      for (const text of lacks) {
        t.notOk(got.body.includes(filled(text)), `${name}: ${text}`)
      }
    }
  })
}

/** Numbers that are the same in every run. */
function createDice(seed: string) {
  let count = 0
  return (below: number) => {
    count += 1
    const bytes = createHash('sha256').update(`${seed} ${count}`).digest()
    return bytes.readUInt32BE() % below
  }
}

const PIECES = [
  '"',
  '\\',
  '[',
  ']',
  '{',
  '}',
  'null',
  'true',
  '7',
  ' eq ',
  ' and ',
  '(',
  ')',
  '.value',
  ':',
  '%',
  '\0',
  'members',
  'emails[type eq "work"]',
  'urn:ietf:params:scim:schemas:core:2.0:User',
  '__proto__',
  'é',
  '\ud800',
]

/** What no record has. */
const ADDED = [
  {
    method: 'POST',
    path: '/Users',
    body: {
      schemas: [USER],
      userName: 'bob',
      active: 'False',
      password: 'a long one of his own',
      emails: [{ type: 'work', value: 'bob@example.com', primary: true }],
    },
  },
  {
    method: 'POST',
    path: '/Users/.search',
    body: { schemas: [SEARCH], filter: 'userName sw "a"', count: 3 },
  },
]

/** A hash, and the password of a request. */
const SECRETS = /\$argon2|a long one of his/

/** What a refused request must leave as it was. */
async function kept({ server: { store } }: ScimBench, id: string): Promise<string> {
  const account = await store.directory.byTag(userTag(id))
  return JSON.stringify([account, (await store.groups.load()).groups])
}

const gc: () => void = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
})()

function heapNow(): number {
  gc()
  return process.memoryUsage().heapUsed
}

for (const store of STORES) {
  const title = `${COUNT} damaged requests, ${store}`
  t.test(title, { timeout: 3_600_000 }, async t => {
    const bench = await scimOn(t, store)
    const { user, filled } = await prepared(bench)
    const requests = [
      // They have nothing that could be damaged.
      ...recorded.requests.filter(({ method }) => method !== 'DELETE'),
      ...ADDED,
    ]
    const dice = createDice('scim')
    const damaged = (text: string) => {
      const [at, length] = [dice(text.length + 1), dice(8)]
      const piece = PIECES[dice(PIECES.length)]
      return `${text.slice(0, at)}${piece}${text.slice(at + length)}`
    }
    const faults: string[] = []
    const statuses = new Set<number>()
    let heap = 0
    for (let count = 0; count < COUNT; count++) {
      const request = requests[dice(requests.length)]
      if (request === undefined) continue
      const { method, path } = request
      const [place = '', query] = filled(path).split('?')
      const whole =
        request.body === undefined ? undefined : filled(JSON.stringify(request.body))
      const url =
        query === undefined
          ? place
          : `${place}?filter=${encodeURIComponent(damaged('userName eq "ann"').toWellFormed())}`
      const before = await kept(bench, user.id)
      const answer = await bench.call(method as 'GET', url, {
        ...(whole !== undefined && { body: damaged(whole) }),
      })
      const { statusCode } = answer
      statuses.add(statusCode)
      if (statusCode >= 500) faults.push(`${method} ${url} ${answer.body}`)
      if (statusCode >= 400 && (await kept(bench, user.id)) !== before) {
        faults.push(`half done: ${method} ${url} ${answer.body}`)
      }
      if (statusCode === 201) {
        await bench.call('DELETE', `${place}/${answer.json().id}`)
      }
      const told = answer.body + bench.server.lines.join('')
      if (SECRETS.test(told)) faults.push(`a secret: ${method} ${url} ${told}`)
      // The log of this server is kept in memory.
      bench.server.lines.length = 0
      if (count === Math.floor(COUNT / 10)) heap = heapNow()
    }
    t.strictSame(faults, [])
    t.ok(statuses.has(200) && statuses.has(400), 'some are taken, and some refused')
    const users = await everyOne(bench.server.store.directory.all())
    t.same(users.map(({ sub }) => sub).length, 3, 'nobody was added unseen')
    t.equal((await bench.server.store.groups.load()).groups.length, 1)
    const grown = (heapNow() - heap) / COUNT
    t.ok(COUNT < 10_000 || grown < 50, `${grown.toFixed(1)} bytes more for each request`)
  })
}
