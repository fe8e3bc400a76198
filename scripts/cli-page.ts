// Writes the tables of commands in docs/cli.md from what `latchkey … --help` prints: `node
// scripts/cli-page.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { run } from '../src/cli/main.ts'
import { layOut } from './markdown.ts'

const PAGE_FILE = new URL('../docs/cli.md', import.meta.url)
const TABLES =
  /(<!-- commands: written by scripts\/cli-page.ts -->\n)[^]*(<!-- end of commands -->)/

/** An entry of a list in a help text: a command or an option, and what is said of it. */
type Entry = readonly [term: string, description: string]

/** A help text, taken apart. */
interface Help {
  readonly usage: string
  readonly description: string
  readonly options: readonly Entry[]
  readonly commands: readonly Entry[]
  readonly examples: readonly string[]
}

/** The text of docs/cli.md: `page` with its commands written anew. */
export async function pageText(page: string): Promise<string> {
  const { commands } = await helpOf([])
  const sections: string[] = []
  for (const [term] of commands) sections.push(await sectionOf(nameOf(term)))
  const text = page.replace(
    TABLES,
    (_, head: string, tail: string) => `${head}${sections.join('')}${tail}`,
  )
  return layOut(text)
}

async function sectionOf(noun: string): Promise<string> {
  const own = await helpOf([noun])
  const verbs = await verbsOf([noun], own)
  const rows = (verbs.length > 0 ? verbs : [own]).flatMap(
    ({ usage, description, options }) => [
      `| \`${usage}\` | ${description} |`,
      ...options.map(([option, text]) => `| — \`${option}\` | ${text} |`),
    ],
  )
  const examples = new Set([...own.examples, ...verbs.flatMap(verb => verb.examples)])
  return [
    '',
    `### ${noun}`,
    '',
    sentence(own.description),
    '',
    '| command | does |',
    '| --- | --- |',
    ...rows,
    '',
    '```sh',
    ...examples,
    '```',
    '',
  ].join('\n')
}

/** A command without its arguments: `add` of `add <name>`. */
function nameOf(term: string): string {
  return term.replace(/ .*/, '')
}

/** What stands below a command, at whatever depth. */
async function verbsOf(argv: readonly string[], { commands }: Help): Promise<Help[]> {
  const found = await Promise.all(
    commands.map(async ([term]) => {
      const path = [...argv, nameOf(term)]
      const help = await helpOf(path)
      return help.commands.length > 0 ? verbsOf(path, help) : [help]
    }),
  )
  return found.flat()
}

/** Runs `--help`, as wide as it likes. */
async function helpOf(argv: readonly string[]): Promise<Help> {
  let text = ''
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  await run([...argv, '--help'], {
    stdin: Readable.from([]),
    stdout,
    stderr: stdout,
    env: {},
    isTTY: false,
    columns: 10_000,
  })
  const [usage = '', description = '', ...blocks] = text.trim().split('\n\n')
  const block = (name: string) =>
    (blocks.find(block => block.startsWith(`${name}:`)) ?? '').split('\n').slice(1)
  return {
    usage: usage.replace('Usage: latchkey ', '').replace(' [options]', ''),
    description,
    options: block('Options')
      .map(toEntry)
      .filter(([term]) => !term.startsWith('-h,')),
    commands: block('Commands')
      .map(toEntry)
      .filter(([term]) => !term.startsWith('help ')),
    examples: blocks
      .filter(block => /^Examples?\b/.test(block))
      .flatMap(block => block.split('\n').slice(1))
      .map(line => line.trim())
      .filter(line => line.includes('latchkey ')),
  }
}

function toEntry(line: string): Entry {
  const [term = '', text = ''] = line.trim().split(/ {2,}/)
  return [term.replace(' [options]', ''), text]
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

if (import.meta.main) {
  writeFileSync(PAGE_FILE, await pageText(readFileSync(PAGE_FILE, 'utf8')))
}
