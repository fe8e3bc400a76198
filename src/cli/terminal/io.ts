// What a command sees of the process: handed in, so that tests run commands without one.
import { createInterface } from 'node:readline'
import { Writable, type Readable } from 'node:stream'
import { linesOf } from '../../base/utf8.ts'
import { Refused } from './refused.ts'

/** The process, as far as commands use it. */
export interface Io {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a person types at `stdin`. */
  readonly isTTY: boolean
  /** How wide help may be; undefined: 80 characters. */
  readonly columns?: number | undefined
  /** Whether a person watches `stderr`. */
  readonly showsProgress?: boolean
}

/**
 * Reads a new password: typed twice without echo, or one line of standard input.
 *
 * @throws Refused when there is none, or when the two differ
 */
export async function readNewPassword(io: Io): Promise<string> {
  return io.isTTY ? readTyped(io) : firstLine(io.stdin, 'password_missing')
}

/**
 * Lets a person say yes to what was just shown.
 *
 * @throws Refused when the answer is another, or when nobody is there to give one
 */
export async function confirm({ stdin, stderr, isTTY }: Io): Promise<void> {
  if (!isTTY) {
    throw new Refused(
      'confirmation_missing',
      'confirmation missing: standard input is no terminal, so nobody can be asked; --yes answers',
    )
  }
  stderr.write('Type yes to go on: ')
  if ((await firstLine(stdin, 'not_confirmed')) !== 'yes') {
    throw new Refused('not_confirmed', 'not confirmed: nothing was changed')
  }
}

/**
 * The first line of a stream.
 *
 * @throws Refused with `reason` when there is none, or an empty one
 */
export async function firstLine(input: Readable, reason: string): Promise<string> {
  const lines = linesOf(input)
  const { value } = await lines.next()
  // Lets go of the stream: a pipe that its writer holds open must not hold up the command.
  await lines.return(undefined)
  if (typeof value !== 'string' || value === '') throw new Refused(reason)
  return value
}

/** Prompts go to stderr, where a pipe does not take them; what readline would echo goes nowhere. */
async function readTyped({ stdin, stderr }: Io): Promise<string> {
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
  const terminal = createInterface({
    input: stdin,
    output: nowhere,
    terminal: true,
    historySize: 0,
  })
  const lines = terminal[Symbol.asyncIterator]()
  const ask = async (question: string): Promise<string> => {
    stderr.write(question)
    const line = await lines.next()
    // Ctrl-C or Ctrl-D.
    if (line.done) throw new Refused('password_missing')
    // What the terminal sent was of another encoding.
    if (line.value.includes('\uFFFD')) {
      throw new Refused('not_utf8', 'the terminal does not send UTF-8: set its encoding')
    }
    stderr.write('\n')
    return line.value
  }
  try {
    const password = await ask('Password: ')
    if ((await ask('Once more: ')) !== password) throw new Refused('passwords_differ')
    return password
  } finally {
    terminal.close()
  }
}
