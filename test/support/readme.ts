// The README's own configuration, its first user and its server, on ports of their own.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { blocksOf } from './blocks.ts'
import { freePortPair } from './free-port.ts'
import { ROOT } from './python.ts'
import { PASSWORD, runNode } from './server.ts'
import { PATIENCE_MS } from './until.ts'

const SECTION = 'First user, first client'
const BIN = join(ROOT, 'bin/latchkey.js')

/** A server that runs as the README says. */
export interface ReadmeServer {
  readonly url: string
  /** Where latchkey.yaml is. */
  readonly directory: string
  /** A text of the README, with this server's port in the place of its own. */
  here(text: string): string
  /** Runs lines of shell as a reader would; they read alice's password where they ask for it. */
  shell(lines: string): { code: number | null; out: string; err: string }
}

/** Follows the section up to a running server; t.teardown ends it. */
export async function followReadme(t: Test): Promise<ReadmeServer> {
  const port = await freePortPair()
  const directory = t.testdir({})
  const here = (text: string) => text.replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`)
  const [yaml = ''] = blocksOf('README.md', SECTION, 'yaml')
  const [commands = ''] = blocksOf('README.md', SECTION, 'sh')
  const configuration = here(yaml)
    .replace('http: {', `http: { port: ${port},`)
    .replace('management: {', `management: { port: ${port + 1},`)
  writeFileSync(join(directory, 'latchkey.yaml'), configuration)
  const shell = (lines: string) => {
    const { PATH } = process.env
    // The package's own command stands for npm's: npm runs it in the package's folder.
    const typed = here(lines).replaceAll('npm run --silent latchkey --', '"$NODE" "$BIN"')
    // Bash takes a socket for a remote shell's, and would read what it reads at a login.
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', typed], {
      cwd: directory,
      encoding: 'utf8',
      input: `${PASSWORD}\n`,
      timeout: 3 * PATIENCE_MS,
      env: { PATH, NODE: process.execPath, BIN },
    })
    return { code: status, out: stdout, err: stderr }
  }
  const added = shell(`set -e\n${commands}`)
  t.equal(added.code, 0, added.err)
  const env = {
    LATCHKEY_CONFIG: 'latchkey.yaml',
    LATCHKEY_SECRET: readFileSync(join(directory, 'secret'), 'utf8').trim(),
  }
  const server = runNode([BIN, 'serve'], env, directory)
  t.teardown(() => server.stop())
  await server.logged(/Server listening/i)
  return { url: `http://127.0.0.1:${port}`, directory, here, shell }
}
