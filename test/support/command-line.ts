/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
// Commands through run(), on a SQLite file of their own.
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import type { Test } from 'tap'
import { run } from '../../src/cli/main.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { PATIENT } from './until.ts'

export const SECRET = 's'.repeat(43)

/** What a command did. */
export interface Ran {
  code: number
  out: string
  err: string
  records: Record<string, unknown>[]
}

/** Commands on one configuration and one store. */
export interface CommandLine {
  /** Runs a command line, split at blanks. */
  latchkey(
    line: string,
    stdin?: string | Buffer,
    more?: { isTTY?: boolean; env?: Record<string, string>; showsProgress?: boolean },
  ): Promise<Ran>
  readonly file: string
  readonly directory: string
  readonly storeUrl: string
  /** The same store, as a server beside the command line has it. */
  withStore<T>(work: (store: Store) => Promise<T>): Promise<T>
}

/** Makes a configuration and a store of their own. */
export function commandLine(
  t: Test,
  {
    secrets = [SECRET],
    more = [],
  }: { secrets?: readonly string[]; more?: readonly string[] } = {},
): CommandLine {
  const directory = t.testdir({
    'latchkey.yaml': [
      'issuer: https://id.example.com',
      'store: { url: "${STORE}" }',
      `secrets: [${secrets.join()}]`,
      'passwords: { memoryKiB: 8, passes: 1 }',
      ...(more.length > 0 ? more : ['clients: [{ id: mobile, accessTtl: 20m }]']),
    ].join('\n'),
  })
  const [file, url] = [
    join(directory, 'latchkey.yaml'),
    `sqlite:${join(directory, 'latchkey.db')}`,
  ]
  return {
    file,
    directory,
    storeUrl: url,
    latchkey: (
      line,
      stdin = '',
      { isTTY = false, env = { LATCHKEY_CONFIG: file }, showsProgress = false } = {},
    ) =>
      runWith(line.split(' '), {
        stdin,
        isTTY,
        showsProgress,
        env: { STORE: url, ...env },
      }),
    async withStore(work) {
      const { store } = await openStore({ ...PATIENT, url, clock: systemClock })
      return work(store).finally(() => store.close())
    },
  }
}

async function runWith(
  argv: string[],
  {
    stdin,
    isTTY,
    showsProgress,
    env,
  }: {
    stdin: string | Buffer
    isTTY: boolean
    showsProgress: boolean
    env: Record<string, string>
  },
): Promise<Ran> {
  const [stdout, stderr] = [new Sink(), new Sink()]
  const input = isTTY ? new PassThrough() : Readable.from([stdin])
  // A person types once the prompt is there.
  if (input instanceof PassThrough) {
    const parts = typeof stdin === 'string' ? stdin.split('|') : [stdin]
    for (const part of parts) input.write(part)
  }
  const code = await run(argv, {
    stdin: input,
    stdout,
    stderr,
    env,
    isTTY,
    showsProgress,
  })
  const records = !argv.includes('--json')
    ? []
    : stdout.text
        .split('\n')
        .filter(line => line.startsWith('{'))
        .map(line => JSON.parse(line))
  return {
    code,
    out: stdout.text,
    err: stderr.text,
    records,
  }
}

class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}
