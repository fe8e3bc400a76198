// The command line: `latchkey <noun> <verb>`, one file per noun. Exit codes: 0 done, 1 refused, 2 usage.
import process from 'node:process'
import { Command, CommanderError } from 'commander'
import about from '../../package.json' with { type: 'json' }
import { printableLines } from '../base/printable.ts'
import { addClients } from './clients.ts'
import { addCompletion } from './terminal/completion.ts'
import { addConfig } from './config.ts'
import type { Io } from './terminal/io.ts'
import { addKeys } from './keys/keys.ts'
import { addPasswords } from './users/passwords.ts'
import { failureOf, type Failure } from './terminal/refused.ts'
import { addServe } from './serve.ts'
import { addSessions } from './sessions.ts'
import { addStore } from './store/store.ts'
import { addToken } from './token.ts'
import { addUsers } from './users/users.ts'

const WIDTH = 80

const EXAMPLES = `
Examples:
  latchkey serve                                      # development mode, on loopback
  LATCHKEY_CONFIG=latchkey.yaml latchkey serve
  latchkey config check --config latchkey.yaml
  latchkey users add alice --roles support
  latchkey clients secret
`

/**
 * Runs one command.
 *
 * @param argv what stands behind the program's name
 * @returns the exit code
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const program = createProgram(io, asksForJson(argv))
  try {
    await program.parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return usageCode(error, argv, io)
    const failure = failureOf(error)
    if (program.opts()['json']) writeFailure(failure, io)
    else io.stderr.write(printableLines(`latchkey: ${failure.message}\n`))
    return 1
  }
}

/** The exit code of help and of wrong usage, which the parser has written, but for scripts. */
function usageCode(
  { exitCode, code, message }: CommanderError,
  argv: readonly string[],
  io: Io,
): number {
  if (exitCode === 0) return 0
  const words =
    code === 'commander.help'
      ? 'the command is not complete: --help shows how it goes on'
      : message.replace(/^error: /, '')
  if (asksForJson(argv)) writeFailure({ error: 'usage', message: words }, io)
  return 2
}

/** What is wrong may stand before --json: the parser hasn't come to it. */
function asksForJson(argv: readonly string[]): boolean {
  return argv.includes('--json')
}

function writeFailure(failure: Failure, { stderr }: Io): void {
  stderr.write(printableLines(`${JSON.stringify(failure)}\n`))
}

/** Runs the command of this process. */
export async function main(): Promise<void> {
  const { stdin, stdout, stderr, env } = process
  // `latchkey users list | head` closes the pipe early: no fault.
  stdout.on('error', () => {
    process.exitCode = 0
  })
  process.exitCode = await run(process.argv.slice(2), {
    stdin,
    stdout,
    stderr,
    env,
    isTTY: stdin.isTTY,
    columns: stdout.columns,
    showsProgress: stderr.isTTY,
  })
}

function createProgram(io: Io, isForScripts: boolean): Command {
  const width = () => io.columns ?? WIDTH
  const program = new Command('latchkey')
    .description('OAuth 2.0 token server for first-party apps')
    .version(about.version)
    .option(
      '--config <file>',
      'configuration; default: LATCHKEY_CONFIG, else development mode',
    )
    .option('--json', 'print JSON, one object per line')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: text => {
        io.stdout.write(printableLines(text))
      },
      writeErr: text => {
        if (!isForScripts) io.stderr.write(printableLines(text))
      },
      getOutHelpWidth: width,
      getErrHelpWidth: width,
    })
    .exitOverride()
    .addHelpText('after', EXAMPLES)
  for (const add of [
    addServe,
    addUsers,
    addSessions,
    addClients,
    addPasswords,
    addKeys,
    addToken,
    addStore,
    addConfig,
    addCompletion,
  ]) {
    add(program, io)
  }
  return program
}
