// What takes many accounts, or many writers at once, to happen: the parts by themselves.
import t from 'tap'
import { systemRandom } from '../../../../src/base/random.ts'
import { createCursors } from '../../../../src/http/management/scim/cursor.ts'
import { readPage } from '../../../../src/http/management/scim/users/list-users.ts'
import { userError } from '../../../../src/http/management/scim/users/user-errors.ts'
import { parseFilter } from '../../../../src/scim/filter/filter.ts'
import { matches, partsMeant } from '../../../../src/scim/filter/matches.ts'
import type { Account } from '../../../../src/stores/ports/directory.ts'
import { someAccount } from '../../../support/stores.ts'

const account: Account = {
  ...someAccount('somebody'),
  sessionsEpoch: 1,
  createdAt: 0,
  updatedAt: 0,
  version: 0,
}
const parts = { cursors: createCursors(['x'.repeat(43)], systemRandom), list: [] }

/** A walk that goes on and on. */
const endless = (isMeant: boolean, count?: () => Promise<number>) => ({
  kind: 'walk' as const,
  next: async (after: unknown, limit: number) =>
    Array.from({ length: limit }, (_, index) => ({
      account,
      position: [Number(after ?? 0) + index, 'x'] as const,
    })),
  isMeant: () => isMeant,
  count,
})

t.test('pages by index end somewhere', async t => {
  const request = { count: 100, startIndex: 1, cursor: undefined }
  await t.rejects(readPage(endless(true), request, parts), { code: 'tooMany' })
  await t.rejects(readPage(endless(false), request, parts), { code: 'tooMany' })
  const farther = readPage(endless(true), { ...request, startIndex: 30_000 }, parts)
  await t.rejects(farther, { code: 'tooMany' })
  const counted = endless(true, async () => 1_000_000)
  const far = readPage(counted, { ...request, startIndex: 30_000 }, parts)
  await t.rejects(far, { code: 'tooMany' })
  const none = endless(true, async () => 0)
  const beyond = await readPage(none, { ...request, startIndex: 30_000 }, parts)
  t.match(beyond, { total: 0, accounts: [] })
  const page = await readPage(counted, { ...request, startIndex: 601 }, parts)
  t.match(page, { total: 1_000_000, startIndex: 601 })
  t.equal(page.accounts.length, 100)
})

t.test('a page by cursor may be empty, and goes on', async t => {
  const request = { count: 100, startIndex: 1, cursor: '' }
  const page = await readPage(endless(false), request, parts)
  t.equal(page.accounts.length, 0)
  t.type(page.nextCursor, 'string')
})

t.test('too many writers at once', async t => {
  const error = userError({ kind: 'refused', reason: 'changed_meanwhile' })
  t.match(error, { status: 409, code: 'conflict' })
})

t.test('what a filter means of one value', async t => {
  const value = new Map<string, unknown>([
    ['value', 'ann@example.com'],
    ['type', 'Work'],
    ['primary', true],
  ])
  const rows: ReadonlyArray<[filter: string, isMeant: boolean]> = [
    ['type eq "work"', true],
    ['type ne "work"', false],
    ['value co "@"', true],
    ['value sw "ann"', true],
    ['value ew ".org"', false],
    ['type gt "a"', true],
    ['type ge "work"', true],
    ['type lt "a"', false],
    ['type le "work"', true],
    ['primary eq true and type pr', true],
    ['display pr or type eq "home"', false],
    ['not (display pr)', true],
    ['display eq null', true],
    ['type[value eq "x"]', false],
  ]
  for (const [filter, isMeant] of rows) {
    t.equal(matches(parseFilter(filter), value), isMeant, filter)
  }
  const both = partsMeant(parseFilter('type eq "work" and value eq "x"'))
  t.same(
    both,
    new Map([
      ['type', 'work'],
      ['value', 'x'],
    ]),
  )
  t.equal(partsMeant(parseFilter('type eq "work" and value co "x"')), undefined)
  t.equal(partsMeant(parseFilter('value co "x" and type eq "work"')), undefined)
  t.equal(partsMeant(parseFilter('type pr')), undefined)
})

t.test('cursors need a secret', t => {
  t.throws(() => createCursors([], systemRandom), /no secret/)
  t.end()
})
