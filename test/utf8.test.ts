// Bytes become text in one way, however they come.
import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import t from 'tap'
import { decodeUtf8, linesOf, NotUtf8, utf8Of } from '../src/base/utf8.ts'

const TEXT = 'Zoë\n買い手 🐴\r\n\nend'

/** The bytes in pieces of so many. */
function inPieces(bytes: Buffer, size: number): Readable {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(bytes.subarray(at, at + size))
  }
  return Readable.from(pieces)
}

t.test('a text is the same in pieces of any size, and without its mark', async t => {
  for (const marked of [TEXT, `\uFEFF${TEXT}`]) {
    const bytes = Buffer.from(marked)
    t.equal(decodeUtf8(bytes), TEXT)
    for (let size = 1; size <= bytes.length; size++) {
      t.equal(await text(utf8Of(inPieces(bytes, size))), TEXT, `${size} bytes`)
    }
  }
  t.equal(decodeUtf8(Buffer.from('a\uFEFFb')), 'a\uFEFFb', 'a mark within stays')
  t.equal(decodeUtf8(Buffer.alloc(0)), '')
  t.equal(await text(utf8Of(Readable.from(['Zoë']))), 'Zoë')
})

t.test('lines end in one way or the other', async t => {
  const lines = async (input: string) => {
    const found: string[] = []
    for await (const line of linesOf(inPieces(Buffer.from(input), 3))) found.push(line)
    return found
  }
  t.same(await lines(TEXT), ['Zoë', '買い手 🐴', '', 'end'])
  t.same(await lines('a\r\n'), ['a'])
  t.same(await lines('a\r'), ['a'])
  t.same(await lines(''), [])
})

const broken = [
  { name: 'Windows-1252', bytes: Buffer.from('a\nb\nJos\xe9\nc', 'latin1'), line: 3 },
  {
    name: 'an end that is cut off',
    bytes: Buffer.from('a\nb🐴').subarray(0, -1),
    line: 2,
  },
  {
    name: 'a letter of Windows-1252 at the end',
    bytes: Buffer.from('a\n\xe4', 'latin1'),
    line: 2,
  },
  { name: 'an overlong form', bytes: Buffer.from('a\n\xc0\xaf', 'latin1'), line: 2 },
  { name: 'a surrogate', bytes: Buffer.from('\xed\xa0\x80', 'latin1'), line: 1 },
  {
    name: 'nothing but continuations',
    bytes: Buffer.from('\x80\x80\x80\x80', 'latin1'),
    line: 1,
  },
  { name: 'UTF-16, little-endian', bytes: Buffer.from('\uFEFFa\nb', 'utf16le'), line: 1 },
  {
    name: 'UTF-16, big-endian',
    bytes: Buffer.from('\uFEFFab', 'utf16le').swap16(),
    line: 1,
  },
]

for (const { name, bytes, line } of broken) {
  t.test(`refused with its line: ${name}`, async t => {
    for (let size = 1; size <= bytes.length; size++) {
      const error = await text(utf8Of(inPieces(bytes, size))).catch(
        (error: unknown) => error,
      )
      t.type(error, NotUtf8, `${size} bytes`)
      t.match(error, { line, advice: /convert/ })
    }
  })
}

t.test('the words hold nothing of the bytes', async t => {
  const latin1 = Buffer.from('p\xe4ssword', 'latin1')
  t.match(decodeUtf8(latin1), { message: /^line 1: bytes that are not UTF-8/ })
  const utf16 = Buffer.from('\uFEFFpassword', 'utf16le')
  t.match(decodeUtf8(utf16), { message: /^line 1: the text is UTF-16/ })
  const cut = Buffer.from('a\n🐴').subarray(0, -1)
  t.match(decodeUtf8(cut), { message: /^line 2: bytes that are not UTF-8/ })
})
