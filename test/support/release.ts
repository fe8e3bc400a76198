// A release in a folder of its own, run as its users run it: by its command line and over HTTP.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runChild, startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

export interface Release {
  /** Where it answers. */
  readonly url: string
  /** Runs a command of the release; rejects with what it printed where it fails. */
  cli(line: readonly string[], stdin?: string): Promise<string>
  /** Sends a form to an endpoint. */
  post(
    path: string,
    form: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: Record<string, string> }>
  /** What an endpoint answers to a GET. */
  get(path: string): Promise<any>
  /** Ends the server as its supervisor does; may be called again. */
  stop(): Promise<void>
}

export interface ReleaseOptions {
  /** Where the release's files are, its dependencies included. */
  readonly folder: string
  /** Where its configuration may be written. */
  readonly dir: string
  /** Without its ports. */
  readonly config: Readonly<Record<string, unknown>>
}

const ROOT = new URL('../../', import.meta.url).pathname
// A clone may belong to somebody else than who runs the tests.
const GIT = ['-c', 'safe.directory=*', '-C', ROOT]

/**
 * Puts a release's files, and the packages that it runs with, into an empty folder. Rejects where this folder
 * is no clone that has the release's commit.
 */
export async function unpackRelease(commit: string, folder: string): Promise<void> {
  await runChild('git', [...GIT, 'cat-file', '-e', `${commit}^{commit}`]).catch(cause => {
    throw new Error(
      `this folder has no commit ${commit}, which the test runs: it needs a clone with the whole ` +
        'history (git clone; git fetch --unshallow)',
      { cause },
    )
  })
  const archive = join(folder, 'release.tar')
  await runChild('git', [...GIT, 'archive', '--output', archive, commit])
  await runChild('tar', ['-xf', archive, '-C', folder])
  await runChild('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: folder })
}

/** Starts the release's server and waits until it is ready. */
export async function startRelease(options: ReleaseOptions): Promise<Release> {
  const { dir, config } = options
  const [port, management] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const file = join(dir, `${port}.yaml`)
  const listeners = {
    http: { host: '127.0.0.1', port },
    management: { host: '127.0.0.1', port: management },
  }
  // Every JSON text is YAML.
  writeFileSync(file, JSON.stringify({ ...config, ...listeners }))
  const run = (args: readonly string[]) => runRelease(options, file, args)
  const server = run(['serve'])
  server.stdout.resume()
  const closed = once(server, 'close')
  const isReady = async () =>
    server.exitCode !== null || (await fetch(`http://127.0.0.1:${management}/readyz`)).ok
  await until(isReady)
  if (server.exitCode !== null) throw new Error('the release does not start')
  return {
    url,
    cli: (line, stdin = '') => outputOf(run(line), `latchkey ${line.join(' ')}`, stdin),
    async post(path, form, headers = {}) {
      const body = new URLSearchParams(form)
      const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
    },
    get: path => fetch(`${url}${path}`).then(answer => answer.json()),
    async stop() {
      server.kill('SIGTERM')
      await closed
    },
  }
}

type Run = ReturnType<typeof runRelease>

function runRelease(
  { folder, dir }: ReleaseOptions,
  file: string,
  args: readonly string[],
) {
  return startChild(process.execPath, [join(folder, 'bin', 'latchkey.js'), ...args], {
    env: { PATH: process.env['PATH'], LATCHKEY_CONFIG: file },
    cwd: dir,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

async function outputOf(child: Run, command: string, stdin: string): Promise<string> {
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stdin.end(stdin)
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command}: exit ${code}\n${out}`)
  return out
}
