// What Okta, Entra ID and authentik send (requests.json names where they say so), replayed, and the same
// requests damaged in many ways: none may be answered 5xx. LATCHKEY_FUZZ says how many.
import { createHash } from 'node:crypto'
import t from 'tap'
import { STORES } from '../../../conformance/helpers.ts'
import { GROUP, scimOn, type ScimBench } from '../../../support/scim.ts'
import recorded from './requests.json' with { type: 'json' }

const COUNT = Number(process.env['LATCHKEY_FUZZ'] ?? 300)

async function prepared(bench: ScimBench) {
  const user = await bench.add('ann')
  const body = { schemas: [GROUP], displayName: 'staff' }
  const group = (await bench.call('POST', '/Groups', { body })).json()
  return (text: string) =>
    text.replaceAll('{user}', user.id).replaceAll('{group}', String(group.id))
}

for (const store of STORES) {
  t.test(`recorded requests, ${store}`, async t => {
    const bench = await scimOn(t, store)
    const filled = await prepared(bench)
    for (const { of, method, path, body, status, answer } of recorded.requests) {
      const name = `${of}: ${method} ${path}`
      const got = await bench.call(method as 'GET', filled(path), {
        ...(body !== undefined && { body: filled(JSON.stringify(body)) }),
      })
      t.equal(got.statusCode, status, `${name} ${got.body}`)
      t.match(got.json(), JSON.parse(filled(JSON.stringify(answer))), name)
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

t.test(`${COUNT} damaged requests`, { timeout: 3_600_000 }, async t => {
  const bench = await scimOn(t, 'SQLite')
  const filled = await prepared(bench)
  const dice = createDice('scim')
  const damaged = (text: string) => {
    const [at, length] = [dice(text.length + 1), dice(8)]
    const piece = PIECES[dice(PIECES.length)]
    return `${text.slice(0, at)}${piece}${text.slice(at + length)}`
  }
  const faults: string[] = []
  for (let count = 0; count < COUNT; count++) {
    const request = recorded.requests[dice(recorded.requests.length)]
    if (request === undefined) continue
    const { method, path, body } = request
    const [place = '', query] = filled(path).split('?')
    const whole = body === undefined ? undefined : filled(JSON.stringify(body))
    const url =
      query === undefined
        ? place
        : `${place}?filter=${encodeURIComponent(damaged('userName eq "ann"').toWellFormed())}`
    const answer = await bench.call(method as 'GET', url, {
      ...(whole !== undefined && { body: damaged(whole) }),
    })
    if (answer.statusCode >= 500) faults.push(`${method} ${url} ${answer.body}`)
  }
  t.strictSame(faults, [])
})
