// The servers that a page starts: Latchkey, and an app of the reader's.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { startChild } from '../../support/children.ts'
import { PATIENCE_MS, until } from '../../support/until.ts'
import type { Shell } from './shell.ts'

const LINE =
  /^(?:npm ci && )?(latchkey serve|npm start|\.venv\/bin\/(?:uvicorn|flask) .*)(?: .*)?$/

/** A server that runs. */
export interface Running {
  readonly kind: 'latchkey' | 'app'
  stop(): Promise<void>
}

/** The command that starts a server, of a line that does so. */
export function serverOf(line: string): string | undefined {
  const command = line.replace(/\s+#.*$/, '').replace(/ &$/, '')
  return LINE.test(command)
    ? command.replace(/(npm ci && )?npm start/, 'latchkey serve')
    : undefined
}

/** Starts a server and waits until it listens. One that runs already is stopped: the page starts it anew. */
export async function startServer(
  shell: Shell,
  running: Running[],
  command: string,
): Promise<void> {
  const kind = command.startsWith('latchkey') ? 'latchkey' : 'app'
  const before = running.findIndex(server => server.kind === kind)
  if (before >= 0) await running.splice(before, 1)[0]?.stop()
  const child = startChild('bash', ['-c', `exec ${command}`], {
    cwd: shell.directory,
    env: shell.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
  }
  const ended = once(child, 'close')
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  running.push({
    kind,
    async stop() {
      if (!hasEnded()) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
      await ended
      clearTimeout(timer)
    },
  })
  const port = kind === 'app' ? portIn(command) : portOfLatchkey(shell)
  // In development mode a reader waits for the lines that name the demo user.
  const isDevelopment = kind === 'latchkey' && shell.env['LATCHKEY_CONFIG'] === undefined
  const isReady = async () =>
    (await listens(port)) &&
    // Its management listener comes second, on the next port.
    (kind === 'app' || (await listens(port + 1))) &&
    (!isDevelopment || text.includes('Demo user'))
  await until(() => hasEnded() || isReady())
  if (hasEnded()) throw new Error(`${command} has ended:\n${text}`)
}

/** Has a server listen on the port of its issuer, management on the next one. */
export function listenHere(file: string): void {
  const document = parseDocument(readFileSync(file, 'utf8'))
  const { port } = new URL(String(document.get('issuer')))
  if (port === '') return
  document.setIn(['http', 'port'], Number(port))
  document.setIn(['management', 'port'], Number(port) + 1)
  writeFileSync(file, document.toString())
}

const portIn = (command: string) => Number(/--port (\d+)/.exec(command)?.[1])

function portOfLatchkey({ directory, env }: Shell): number {
  const { LATCHKEY_CONFIG: config, LATCHKEY_DEV_PORT: port } = env
  if (config === undefined) return Number(port)
  const text = readFileSync(join(directory, config), 'utf8')
  return Number(parseDocument(text).getIn(['http', 'port']))
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
  return true
}
