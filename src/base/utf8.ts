// From bytes to text, for standard input, every file that people write, and the configuration: a byte order
// mark is skipped, and bytes that aren't UTF-8 are refused instead of becoming U+FFFD.
import { isUtf8 } from 'node:buffer'

const LINE_FEED = 0x0a
const MARK = Buffer.from('\uFEFF')
/** The marks of UTF-16, which no UTF-8 begins with. */
const MARKS_16 = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]
// A sequence has at most four bytes.
const LONGEST_BEGINNING = 3

/** Bytes that aren't UTF-8; holds nothing of them, as they may be of a password. */
export class NotUtf8 extends Error {
  override readonly name = 'NotUtf8'
  /** Counted from one. */
  readonly line: number
  /** What is wrong and what to do, to be read behind the line. */
  readonly advice: string

  constructor(line: number, isUtf16 = false) {
    const advice = isUtf16
      ? 'the text is UTF-16: convert it (iconv -f UTF-16 -t UTF-8)'
      : 'bytes that are not UTF-8: convert the text (for instance iconv -f WINDOWS-1252 -t UTF-8)'
    super(`line ${line}: ${advice}`)
    this.line = line
    this.advice = advice
  }
}

/** Decodes what comes in pieces. */
interface Decoder {
  /** The text of all whole characters up to here. */
  write(chunk: Uint8Array): string | NotUtf8
  /** A fault when half a character is left. */
  end(): NotUtf8 | undefined
}

/** Decodes a whole text without its byte order mark; gives the fault of bytes that are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | NotUtf8 {
  const decoder = createDecoder()
  const text = decoder.write(bytes)
  return typeof text === 'string' ? (decoder.end() ?? text) : text
}

/**
 * Decodes a stream, piece by piece, without its byte order mark. Strings are passed on.
 *
 * @throws NotUtf8 at the line that isn't; what comes before its piece has been given
 */
export async function* utf8Of(
  chunks: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<string> {
  const decoder = createDecoder()
  for await (const chunk of chunks) {
    const text = decoder.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    if (typeof text !== 'string') throw text
    yield text
  }
  const fault = decoder.end()
  if (fault !== undefined) throw fault
}

/**
 * The lines of a stream, without their ends (`\n` or `\r\n`).
 *
 * @throws NotUtf8 as utf8Of does
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<string> {
  let rest = ''
  for await (const text of utf8Of(chunks)) {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.splice(-1).join('')
    for (const line of lines) yield line.replace(/\r$/, '')
  }
  if (rest !== '') yield rest.replace(/\r$/, '')
}

function createDecoder(): Decoder {
  let rest = Buffer.alloc(0)
  let line = 1
  let atStart = true
  return {
    write(chunk) {
      const bytes = Buffer.concat([rest, chunk])
      const end = bytes.length - unfinished(bytes)
      const whole = bytes.subarray(0, end)
      rest = bytes.subarray(end)
      if (!isUtf8(whole)) return faultIn(bytes, line)
      line += breaksIn(whole)
      const skipped = atStart && whole.indexOf(MARK) === 0 ? MARK.length : 0
      if (whole.length > 0) atStart = false
      return whole.toString('utf8', skipped)
    },
    end: () => (rest.length > 0 ? new NotUtf8(line) : undefined),
  }
}

/** How many bytes at the end begin a character that may go on in the next piece. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(LONGEST_BEGINNING, bytes.length); back++) {
    const length = lengthOf(bytes.readUInt8(bytes.length - back))
    if (length !== undefined) return length > back ? back : 0
  }
  return 0
}

/** How many bytes a character has that begins so; undefined: no character does. */
function lengthOf(byte: number): number | undefined {
  if (byte < 0x80) return 1
  if (byte < 0xc0) return undefined
  if (byte < 0xe0) return 2
  return byte < 0xf0 ? 3 : 4
}

function faultIn(bytes: Buffer, firstLine: number): NotUtf8 {
  if (firstLine === 1 && MARKS_16.some(mark => bytes.indexOf(mark) === 0)) {
    return new NotUtf8(1, true)
  }
  let [line, start] = [firstLine, 0]
  for (;;) {
    const next = bytes.indexOf(LINE_FEED, start)
    if (next === -1 || !isUtf8(bytes.subarray(start, next))) return new NotUtf8(line)
    line += 1
    start = next + 1
  }
}

function breaksIn(bytes: Buffer): number {
  let count = 0
  for (
    let at = bytes.indexOf(LINE_FEED);
    at !== -1;
    at = bytes.indexOf(LINE_FEED, at + 1)
  ) {
    count += 1
  }
  return count
}
