// npm run bench:memory: what a server holds in memory when idle and under load, how long it takes to be
// ready, and what a command costs; beside another checkout, in turn (--beside). The servers are started as
// the image does, without anything of the bench in them. docs/performance.md reads it.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { endWithUs } from '../test/support/children.ts'
import { freePort } from '../test/support/free-port.ts'
import { startRedis } from '../test/support/redis.ts'
import { asImage, nodeFlags } from './as-image.ts'
import type { Job } from './load.ts'
import { CLIENTS, PASSWORD, USER } from './parties.ts'
import { startWorker } from './child.ts'
import { printTable } from './report.ts'
import { median } from './verdict.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    // How often a command is run in a round.
    commands: { type: 'string', default: '3' },
    // Refreshes, and as many introspections, of a round.
    requests: { type: 'string', default: '30000' },
    connections: { type: 'string', default: '16' },
    // Another checkout of Latchkey, after npm ci there; "." shows what the machine's noise comes to.
    beside: { type: 'string' },
    // This checkout as the image has it, bundled.
    image: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const commands = Number(values.commands)
const requests = Number(values.requests)
const connections = Number(values.connections)

/** How long a server is left alone before it counts as idle. */
const IDLE_MS = 3_000
const SAMPLE_MS = 100
const PIECE = 1_000
const UNLIMITED = { max: 1_000_000_000, window: '1h' }
const MEBIBYTE = 2 ** 20

/** What a round measured; memory in bytes, times in seconds. */
const MEASURES = {
  'idle, RSS': MEBIBYTE,
  'idle, anonymous': MEBIBYTE,
  'idle, PSS': MEBIBYTE,
  'under load, RSS, median': MEBIBYTE,
  'under load, RSS, peak': MEBIBYTE,
  'under load, anonymous, median': MEBIBYTE,
  'start to ready, s': 1,
  'users list, CPU, s': 1,
  'users list, s': 1,
} as const
type Measure = keyof typeof MEASURES
type Round = Record<Measure, number>

/** A Latchkey to be measured. */
interface Party {
  readonly name: string
  readonly bin: string
  readonly url: string
  readonly managementUrl: string
  readonly configFile: string
  readonly env: Record<string, string>
  readonly log: number
  readonly rounds: Round[]
}

async function openParty(
  parts: AsyncDisposableStack,
  name: string,
  root: string,
): Promise<Party> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const redis = await startRedis()
  parts.defer(() => redis.stop())
  const [port, management] = [await freePort(), await freePort()]
  const configFile = join(dir, 'latchkey.yaml')
  // Every JSON text is YAML. The limits are on, and out of reach.
  const config = {
    issuer: `http://127.0.0.1:${port}`,
    http: { host: '127.0.0.1', port },
    management: { host: '127.0.0.1', port: management },
    store: { url: redis.url },
    secrets: [randomBytes(32).toString('base64url')],
    throttle: { perAddress: UNLIMITED, perClient: UNLIMITED, perSession: UNLIMITED },
    clients: CLIENTS,
  }
  await writeFile(configFile, JSON.stringify(config))
  const log = await open(join(dir, 'latchkey.log'), 'w')
  parts.defer(() => log.close())
  const party = {
    name,
    bin: resolve(root, 'bin/latchkey.js'),
    url: config.issuer,
    managementUrl: `http://127.0.0.1:${management}`,
    configFile,
    // As the image has it, and a compile cache of its own, which the first start fills.
    env: {
      PATH: String(process.env['PATH']),
      NODE_ENV: 'production',
      MALLOC_ARENA_MAX: '1',
      NODE_OPTIONS: '--max-semi-space-size=8',
      XDG_CACHE_HOME: join(dir, 'cache'),
    },
    log: log.fd,
    rounds: [],
  }
  await addUser(party)
  await stop((await startServer(party)).child)
  await timeCommand(party)
  return party
}

async function addUser({ bin, configFile, env }: Party): Promise<void> {
  const line = [...nodeFlags(bin), bin, 'users', 'add', USER, '--config', configFile]
  const adding = promisify(execFile)(process.execPath, line, { env })
  adding.child.stdin?.end(PASSWORD)
  await adding
}

/** Seconds of `users list`: on the clock, and of CPU. */
async function timeCommand({ bin, configFile, env }: Party): Promise<[number, number]> {
  const command = [bin, 'users', 'list', '--config', configFile]
  const line = [process.execPath, ...nodeFlags(bin), ...command]
  const script = '"$@" >/dev/null || exit; times'
  const started = performance.now()
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', script, '-', ...line], {
    env,
  })
  const seconds = (performance.now() - started) / 1000
  // The second line is that of the shell's children: user and system.
  const cpu = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)]
  return [
    seconds,
    cpu.reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0),
  ]
}

async function startServer(
  party: Party,
): Promise<{ readonly child: ChildProcess; readonly seconds: number }> {
  const line = [...nodeFlags(party.bin), party.bin, 'serve', '--config', party.configFile]
  const started = performance.now()
  const child = endWithUs(
    spawn(process.execPath, line, {
      env: party.env,
      stdio: ['ignore', party.log, party.log],
    }),
  )
  for (;;) {
    const isReady = await fetch(`${party.managementUrl}/readyz`).then(
      answer => answer.ok,
      () => false,
    )
    if (isReady) return { child, seconds: (performance.now() - started) / 1000 }
    if (child.exitCode !== null) throw new Error(`${party.name} ended: see its log`)
    await wait(5)
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

/** A line of /proc/PID/FILE that is in kB, in bytes. */
async function fromProc(pid: number, file: string, name: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/${file}`, 'utf8')
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1])
}

async function measure(
  party: Party,
  load: (job: Job) => Promise<number>,
): Promise<Round> {
  const times: [number, number][] = []
  for (let i = 0; i < commands; i++) times.push(await timeCommand(party))
  const { child, seconds } = await startServer(party)
  const pid = Number(child.pid)
  await wait(IDLE_MS)
  const idle = {
    'idle, RSS': await fromProc(pid, 'status', 'VmRSS'),
    'idle, anonymous': await fromProc(pid, 'status', 'RssAnon'),
    'idle, PSS': await fromProc(pid, 'smaps_rollup', 'Pss'),
  }
  const samples = await sampled(pid, async () => {
    const piece = Math.min(PIECE, requests)
    for (let sent = 0; sent < requests; sent += piece) {
      for (const kind of ['refresh', 'introspection'] as const) {
        await load({ base: party.url, kind, connections, requests: piece })
      }
    }
  })
  await stop(child)
  const rss = samples.map(([all]) => all)
  return {
    ...idle,
    'under load, RSS, median': median(rss),
    'under load, RSS, peak': Math.max(...rss),
    'under load, anonymous, median': median(samples.map(([, anonymous]) => anonymous)),
    'start to ready, s': seconds,
    'users list, CPU, s': median(times.map(([, cpu]) => cpu)),
    'users list, s': median(times.map(([clock]) => clock)),
  }
}

/** RSS, and what of it is anonymous, again and again while something is done. */
async function sampled(
  pid: number,
  work: () => Promise<void>,
): Promise<[number, number][]> {
  const samples: [number, number][] = []
  const over = work().then(() => true)
  while (!(await Promise.race([over, wait(SAMPLE_MS, false)]))) {
    const rss = await fromProc(pid, 'status', 'VmRSS')
    samples.push([rss, await fromProc(pid, 'status', 'RssAnon')])
  }
  return samples
}

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const here = resolve(import.meta.dirname, '..')
  const parties = [
    values.image
      ? await openParty(parts, 'image', await asImage(parts, here))
      : await openParty(parts, 'here', here),
  ]
  if (values.beside !== undefined) {
    parties.push(await openParty(parts, values.beside, resolve(values.beside)))
  }
  const load = startWorker<Job, number>(parts, 'load.ts')
  for (let round = 0; round < rounds; round++) {
    for (const party of round % 2 === 0 ? parties : parties.toReversed()) {
      party.rounds.push(await measure(party, load))
    }
  }
  print(parties)
}

function print(parties: readonly Party[]): void {
  console.log(
    `medians of ${rounds} rounds; MiB; the load: ${connections} connections, ${requests} refreshes and ` +
      'as many introspections\n',
  )
  const names = Object.keys(MEASURES) as Measure[]
  printTable([
    ['', ...parties.map(({ name }) => name)],
    ...names.map(name => [
      name,
      ...parties.map(party =>
        (median(party.rounds.map(round => round[name])) / MEASURES[name]).toFixed(
          MEASURES[name] === 1 ? 2 : 0,
        ),
      ),
    ]),
  ])
}

await main()
