// Walks through a page as a reader does: writes the files that it shows, types its commands, starts its
// servers, and holds what they print against what the page says. Ports are others than the page's, so that
// suites may run side by side.
import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { freePort, freePortPair } from '../../support/free-port.ts'
import { ROOT } from '../../support/python.ts'
import { fileOf, type Block } from './blocks.ts'
import { listenHere, serverOf, startServer, type Running } from './servers.ts'
import { makeShell, runLines, type Shell } from './shell.ts'
import { assertShown } from './shown.ts'

type Replaced = readonly (readonly [text: string, typed: string])[]

/** What a page's walk starts from. */
export interface Beginning {
  /** Files that the page takes for granted, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** A folder of the project that the reader is in; default: an empty one. */
  readonly folder?: string
  /** Commands that come before its first block. */
  readonly before?: string
  /** Commands that come before the block that begins so. */
  readonly first?: Readonly<Record<string, string>>
  /** Blocks, by how they begin, whose lines are examples, each by itself: they start from the same store. */
  readonly alone?: readonly string[]
  /** Texts of the page, and what is typed in their place. */
  readonly replaced?: Replaced
}

/** A reader's terminals. */
export interface Walk {
  readonly directory: string
  /** Does what a block says; `shown` is the output that the page shows behind it. */
  follow(block: Block, shown?: Block): Promise<void>
  /** Types commands, of which none may fail; gives what they print. */
  type(commands: string): Promise<string>
  /** Runs a program; gives what it prints. */
  run(language: 'js' | 'python', program: string): Promise<string>
}

/** What a step of a walk is done with. */
interface Reader {
  readonly shell: Shell
  readonly here: (text: string) => string
  readonly type: (commands: string, mayFail?: boolean) => Promise<string>
}

/** Begins a walk in an empty folder. All that it starts ends with the test. */
export async function beginWalk(
  t: Test,
  blocks: readonly Block[],
  beginning: Beginning = {},
): Promise<Walk> {
  const shell = await makeShell(t)
  const here = await translation(blocks, shell, beginning.replaced)
  const running: Running[] = []
  t.teardown(() => Promise.all(running.map(server => server.stop())))
  const reader: Reader = {
    shell,
    here,
    type(commands, mayFail = false) {
      // A refusal that the page doesn't show is a fault of the page.
      shell.env['CURL_FAILS'] = mayFail ? '--show-error' : '--fail-with-body'
      return typeCommands(shell, running, here(commands))
    },
  }
  await begin(reader, beginning)
  return {
    directory: shell.directory,
    type: reader.type,
    follow: createFollow(reader, beginning),
    async run(language, program) {
      const name = language === 'js' ? 'snippet.mjs' : 'snippet.py'
      write(reader, { name, text: program })
      return reader.type(`${language === 'js' ? '"$NODE"' : '.venv/bin/python'} ${name}`)
    },
  }
}

async function begin(
  reader: Reader,
  { files = {}, folder, before = '' }: Beginning,
): Promise<void> {
  if (folder !== undefined) {
    cpSync(join(ROOT, folder), reader.shell.directory, { recursive: true })
  }
  for (const [name, text] of Object.entries(files)) write(reader, { name, text })
  await reader.type(before)
}

function createFollow(
  reader: Reader,
  { first = {}, alone = [] }: Beginning,
): Walk['follow'] {
  const typeFirst = async (text: string) => {
    for (const [begins, commands] of Object.entries(first)) {
      if (text.startsWith(begins)) await reader.type(commands)
    }
  }

  return async function follow(block, shown) {
    const file = fileOf(block)
    if (file !== undefined) {
      write(reader, { ...file, text: block.code })
      return
    }
    if (alone.some(begins => block.code.startsWith(begins))) {
      for (const [index, line] of block.code.trim().split('\n').entries()) {
        await reader.type(`cp base.db line${index}.db\nDB=line${index}`)
        await typeFirst(line)
        await reader.type(line)
      }
      return
    }
    await typeFirst(block.code)
    const printed = await reader.type(block.code, shown !== undefined)
    if (shown !== undefined) assertShown(printed, reader.here(shown.code))
  }
}

interface Written {
  readonly name: string
  readonly text: string
  readonly isAdded?: boolean
}

function write({ shell, here }: Reader, { name, text, isAdded = false }: Written): void {
  const file = join(shell.directory, name)
  mkdirSync(dirname(file), { recursive: true })
  if (isAdded) appendFileSync(file, `\n${here(text)}`)
  else writeFileSync(file, here(text))
  if (name.endsWith('latchkey.yaml')) listenHere(file)
}

/** Puts the ports of here into the place of the page's. */
async function translation(
  blocks: readonly Block[],
  { env }: Shell,
  replaced: Replaced = [],
): Promise<(text: string) => string> {
  const latchkey = await freePortPair()
  const ports: Readonly<Record<string, number>> = {
    3000: latchkey,
    3001: latchkey + 1,
    8000: await freePort(),
    9000: await freePort(),
  }
  env['LATCHKEY_DEV_PORT'] = String(latchkey)
  // The examples read it.
  env['LATCHKEY_ISSUER'] = `http://127.0.0.1:${latchkey}`
  // The tokens of development mode are for http://127.0.0.1:8000: there it is a name, and stays.
  const isDevelopment = !blocks.some(block => fileOf(block)?.name === 'latchkey.yaml')
  return text =>
    replaced
      .reduce((whole, [from, to]) => whole.replaceAll(from, to), text)
      .replaceAll(
        /(127\.0\.0\.1:|--port )(3000|3001|8000|9000)\b(\/?)/g,
        (all, before: string, port: string, slash: string) => {
          const isName = port === '8000' && before !== '--port ' && slash === ''
          return isDevelopment && isName ? all : `${before}${ports[port]}${slash}`
        },
      )
}

async function typeCommands(
  shell: Shell,
  running: Running[],
  commands: string,
): Promise<string> {
  let printed = ''
  let lines: string[] = []
  const flush = async () => {
    if (lines.length > 0) printed += await runLines(shell, lines.join('\n'))
    lines = []
  }
  for (const line of commands.split('\n')) {
    const server = serverOf(line)
    if (server === undefined) {
      lines.push(line)
      continue
    }
    await flush()
    await startServer(shell, running, server)
  }
  await flush()
  return printed
}
