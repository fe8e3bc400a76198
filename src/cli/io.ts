// What a command sees of the process: handed in, so that tests run commands without one.
import { createInterface } from 'node:readline'
import { Writable, type Readable } from 'node:stream'
import { Refused } from './refused.ts'

/** The process, as far as commands use it. */
export interface Io {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a person types at `stdin`. */
  readonly isTTY: boolean
}

/** The lines of a stream, one at a time; it is let go of when the caller stops. */
export async function * linesOf (input: Readable): AsyncGenerator<string> {
  yield * createInterface({ input, crlfDelay: Infinity })
}

/**
 * Reads a new password: typed twice without echo, or one line of standard input.
 *
 * @throws Refused when there is none, or when the two differ
 */
export async function readNewPassword (io: Io): Promise<string> {
  if (!io.isTTY) return firstLine(io.stdin, 'password_missing')
  const [first, second] = await askHidden(io, ['Password: ', 'Once more: '])
  if (first !== second) throw new Refused('passwords_differ')
  return first ?? ''
}

/**
 * The first line of a stream.
 *
 * @throws Refused with `reason` when there is none, or an empty one
 */
export async function firstLine (input: Readable, reason: string): Promise<string> {
  const { value } = await linesOf(input).next()
  if (typeof value !== 'string' || value === '') throw new Refused(reason)
  return value
}

/** Prompts go to stderr, where a pipe does not take them; what readline would echo goes nowhere. */
async function askHidden ({ stdin, stderr }: Io, questions: readonly string[]): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => { done() } })
  const terminal = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 })
  const answers: string[] = []
  stderr.write(questions[0] ?? '')
  for await (const answer of terminal) {
    answers.push(answer)
    stderr.write(`\n${questions[answers.length] ?? ''}`)
    if (answers.length === questions.length) return answers
  }
  // Ctrl-C or Ctrl-D.
  throw new Refused('password_missing')
}
