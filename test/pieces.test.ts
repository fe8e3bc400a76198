// Long work in pieces: everything is done, in its order, and others have their turn meanwhile.
import t from 'tap'
import { mapInPieces, readInPieces } from '../src/base/pieces.ts'
import { bodyText } from '../src/http/management/scim/body-text.ts'

/** Counts the turns of the event loop until something has come. */
async function turnsOf<Result>(work: Promise<Result>): Promise<[Result, number]> {
  let [turns, isDone] = [0, false]
  const count = () => {
    turns += 1
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const result = await work
  isDone = true
  return [result, turns]
}

const numbers = Array.from({ length: 95 }, (_, each) => each)

t.test('a list is mapped piece by piece', async t => {
  const doubled = numbers.map(each => each * 2)
  const [found, turns] = await turnsOf(mapInPieces(numbers, each => each * 2))
  t.strictSame(found, doubled)
  t.ok(turns >= 2, 'four pieces, and a turn between two of them')
  const [whole, none] = await turnsOf(mapInPieces(numbers, each => each * 2, 95))
  t.strictSame([whole, none], [doubled, 0])
  t.strictSame(await mapInPieces([], String), [])
})

t.test('a list is read piece by piece', async t => {
  const asked: Array<readonly [last: number | undefined, most: number]> = []
  const read = async (last: number | undefined, most: number) => {
    asked.push([last, most])
    const from = last === undefined ? 0 : last + 1
    return numbers.slice(from, from + most)
  }
  const [found, turns] = await turnsOf(readInPieces(60, read))
  t.strictSame(found, numbers.slice(0, 60))
  t.strictSame(asked, [
    [undefined, 25],
    [24, 25],
    [49, 10],
  ])
  t.ok(turns >= 1)
  t.strictSame(await readInPieces(1000, read), numbers, 'until there are no more')
  t.strictSame(await readInPieces(0, read), [])
})

t.test('a body is written piece by piece, and as JSON has it', async t => {
  const body = {
    text: 'a "b" \u2028',
    nothing: undefined,
    empty: [],
    Resources: Array.from({ length: 20 }, (_, each) => ({
      each,
      text: 'x'.repeat(9000),
    })),
  }
  const [text, turns] = await turnsOf(bodyText(body))
  t.equal(text, JSON.stringify(body))
  t.ok(turns >= 3)
})
