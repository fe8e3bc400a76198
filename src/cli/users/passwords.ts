// latchkey passwords blocklist build | calibrate
import { open, type FileHandle } from 'node:fs/promises'
import { Option, type Command } from 'commander'
import { formatDuration } from '../../config/values/duration.ts'
import { thisMachine } from '../../base/machine.ts'
import { yieldToEventLoop } from '../../base/pool-threads.ts'
import { argon2Build } from '../../users/hashing/argon2.ts'
import { createFilter, filterSize } from '../../users/blocklist/filter.ts'
import { sha1Of } from '../../users/blocklist/open-blocklist.ts'
import { SHA1_LINE } from '../../users/blocklist/sorted-file.ts'
import { calibrate, settingsText } from '../../users/hashing/calibrate.ts'
import { decodeUtf8 } from '../../base/utf8.ts'
import type { Io } from '../terminal/io.ts'
import { parseSpan } from '../terminal/time.ts'
import { withTools } from '../tools.ts'
import { countOf } from '../terminal/words.ts'

const FALSE_POSITIVES = 1e-6
const SHA1_CHARACTERS = 40
const TARGET_MS = 250
/** The default of passwords.memoryShare. */
const MEMORY_SHARE = 50

const CALIBRATE_EXAMPLE = `
Run it where the server runs, in the same container or cgroup, while little else does. \
Logins whose hash is of another cost get a new one.

Example:
  latchkey passwords calibrate --target 250ms
`

const EXAMPLE = `
LIST holds one password a line, or SHA-1 lines as breached passwords are published \
(HASH or HASH:COUNT, in any order). A list that is sorted by
its hashes needs no filter. A filter takes about 4 bytes an entry, \
and refuses one in a million good passwords, too.

Example:
  latchkey passwords blocklist build breached.txt breached.filter
Then set passwords.blocklist to the filter and restart the server.
`

/** Adds `passwords`. */
export function addPasswords(program: Command, io: Io): void {
  const passwords = program
    .command('passwords')
    .description('what passwords may be, and what a hash costs')
  passwords
    .command('blocklist')
    .description('breached passwords')
    .command('build <list> <filter>')
    .description('make a filter of a list of breached passwords, for passwords.blocklist')
    .addHelpText('after', EXAMPLE)
    .action(
      withTools(io, async ({ print }, list: string, filter: string) => {
        const { entries, notUtf8, bytes } = await build(list, filter)
        print({ entries, notUtf8, bytes, filter }, [
          `${filter}: ${countOf(entries, 'entry', 'entries')} in ${bytes} bytes`,
          ...(notUtf8 > 0
            ? [
                `left out, as nobody can type it: ${countOf(notUtf8, 'line')} of another encoding than UTF-8`,
              ]
            : []),
        ])
      }),
    )
  passwords
    .command('calibrate')
    .description(
      'measure this machine and print the settings for hashes that take so long',
    )
    .addOption(
      new Option('--target <duration>', 'how long a login may hash')
        .argParser(parseSpan)
        .default(TARGET_MS, formatDuration(TARGET_MS)),
    )
    .addHelpText('after', CALIBRATE_EXAMPLE)
    .action(
      withTools(io, async ({ print }, { target }: { target: number }) => {
        // As in a server on Redis: as many at once, and as important.
        await yieldToEventLoop()
        const found = await calibrate({
          targetMs: target,
          memoryShare: MEMORY_SHARE,
          machine: thisMachine(),
        })
        print(
          { ...found, build: argon2Build.name },
          settingsText(found, target).split('\n'),
        )
      }),
    )
}

async function build(
  list: string,
  filter: string,
): Promise<{ entries: number; notUtf8: number; bytes: number }> {
  await using input = await open(list)
  // Not in place of another file: a server may be reading it.
  await using output = await open(filter, 'wx', 0o644)
  const { entries, notUtf8 } = await count(linesOf(input))
  const growing = createFilter(filterSize(entries, FALSE_POSITIVES))
  for await (const line of linesOf(input)) {
    if (line !== undefined) growing.add(entryOf(line))
  }
  const parts = growing.parts()
  await output.writev(parts)
  return { entries, notUtf8, bytes: parts.reduce((sum, { length }) => sum + length, 0) }
}

async function count(
  lines: AsyncIterable<string | undefined>,
): Promise<{ entries: number; notUtf8: number }> {
  let [entries, notUtf8] = [0, 0]
  for await (const line of lines) {
    if (line === undefined) notUtf8 += 1
    else entries += 1
  }
  return { entries, notUtf8 }
}

/**
 * The lines that say something, read from the start; undefined: one that isn't UTF-8. Such lists hold what
 * was stolen anywhere, in any encoding.
 */
async function* linesOf(file: FileHandle): AsyncGenerator<string | undefined> {
  const lines = file.readLines({ start: 0, autoClose: false, encoding: 'latin1' })
  for await (const line of lines) {
    const text = decodeUtf8(Buffer.from(line, 'latin1'))
    if (text !== '') yield typeof text === 'string' ? text : undefined
  }
}

function entryOf(line: string): Buffer {
  return SHA1_LINE.test(line)
    ? Buffer.from(line.slice(0, SHA1_CHARACTERS), 'hex')
    : sha1Of(line)
}
