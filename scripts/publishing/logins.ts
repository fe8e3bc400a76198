// Where a login to a registry lies: `docker login`, `buildah login` and `helm registry login` each leave it
// in a file of their own, or with a helper that keeps passwords.
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** A login, and the files where one was looked for. */
export interface Login {
  /** `user:password` in base64; undefined: nobody is logged in. */
  readonly basic: string | undefined
  readonly files: readonly string[]
}

/**
 * Finds the login for a place.
 *
 * @param place `host[:port]` or `host[:port]/path`
 * @param env the process's variables: REGISTRY_AUTH_FILE names the one file that is read, otherwise
 *   DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HELM_REGISTRY_CONFIG and HOME say where the files are
 * @throws Error that names the file, where one is there but is no JSON; Error that names the helper, where a
 *   file says that it keeps the login and it doesn't give it
 */
export async function findLogin(place: string, env: Environment): Promise<Login> {
  const files = filesOf(env)
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '{}')
    const basic = await loginIn(parse(file, text), place, env)
    if (basic !== undefined) return { basic, files: [file] }
  }
  return { basic: undefined, files }
}

function filesOf(env: Environment): string[] {
  const only = env['REGISTRY_AUTH_FILE']
  if (only !== undefined) return [only]
  const home = env['HOME'] ?? ''
  const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config')
  const { XDG_RUNTIME_DIR } = env
  const runtime =
    XDG_RUNTIME_DIR === undefined
      ? `/run/containers/${process.getuid?.()}`
      : join(XDG_RUNTIME_DIR, 'containers')
  return [
    join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
    join(runtime, 'auth.json'),
    join(config, 'containers/auth.json'),
    env['HELM_REGISTRY_CONFIG'] ?? join(config, 'helm/registry/config.json'),
  ]
}

interface LoginFile {
  readonly auths?: Readonly<Record<string, { readonly auth?: unknown }>>
  readonly credHelpers?: Readonly<Record<string, string>>
  readonly credsStore?: string
}

function parse(file: string, text: string): LoginFile {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`${file} is no JSON`)
  }
}

/** The names that a login for a place may stand under, the narrowest first. */
function namesOf(place: string): string[] {
  const parts = place.split('/')
  const [host = ''] = parts
  const names = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
  names.push(`https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`)
  if (host === 'docker.io') names.push('https://index.docker.io/v1/', 'index.docker.io')
  return names
}

async function loginIn(
  { auths = {}, credHelpers = {}, credsStore }: LoginFile,
  place: string,
  env: Environment,
): Promise<string | undefined> {
  for (const name of namesOf(place)) {
    const auth = auths[name]?.auth
    if (typeof auth === 'string' && auth !== '') return auth
    const own = credHelpers[name]
    if (own !== undefined) return ask(own, name, env)
    // Docker leaves an empty entry for a login that its helper keeps.
    if (credsStore !== undefined && auths[name] !== undefined) {
      return ask(credsStore, name, env)
    }
  }
  return undefined
}

/** Asks a helper (docker-credential-helpers: the name on standard input, JSON on standard output). */
function ask(helper: string, name: string, env: Environment): string {
  const command = `docker-credential-${helper}`
  const { status, stdout } = spawnSync(command, ['get'], {
    env,
    input: name,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${command} gave no login for ${name}`)
  const { Username = '', Secret = '' } = JSON.parse(stdout)
  if (Username === '<token>') {
    throw new Error(`${command} has a token for ${name}; log in with name and password`)
  }
  return Buffer.from(`${Username}:${Secret}`).toString('base64')
}
