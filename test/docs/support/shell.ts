// A reader's folder and the programs that are on the PATH there.
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { runChild } from '../../support/children.ts'
import { python, ROOT } from '../../support/python.ts'
import { PATIENCE_MS } from '../../support/until.ts'

/** What is typed where a command asks for a password, and the variable `$PASSWORD` of pages. */
export const PASSWORD = 'correct horse battery staple'

/** A folder, and the variables that commands there see. They grow by what commands export. */
export interface Shell {
  readonly directory: string
  readonly env: Record<string, string>
}

/** Programs that stand for what a reader has, by name. */
const PROGRAMS: Readonly<Record<string, string>> = {
  // A reader types a password at a terminal; here it comes by a pipe where the command would ask for it.
  latchkey: `if [ -c /dev/stdin ] && [[ "$1 $2" =~ ^users\\ (add|passwd)$ ]] && [[ "$*" != *--invite* ]]
then printf '%s\\n' "$PASSWORD" | exec "$NODE" "$ROOT/bin/latchkey.js" "$@"
else exec "$NODE" "$ROOT/bin/latchkey.js" "$@"
fi`,
  // npm runs a script in the package's folder; the reader's files are here.
  npm: `[ "$1" = run ] || exec "$(dirname "$NODE")/npm" "$@"
while [ "$1" != -- ]; do shift; done
shift
exec latchkey "$@"`,
  curl: 'exec /usr/bin/curl --silent "$CURL_FAILS" "$@"',
  // Whoever has a token got it somehow.
  'demo-token': `curl -d grant_type=password -d client_id=demo -d username=demo \\
  -d "password=$(cat .latchkey/demo-password)" "$LATCHKEY_ISSUER/token" | jq -r .access_token`,
  // The packages that all suites share are there; a page may name no other.
  'pip-install': `exec "$VENV/bin/python" - "$@" <<'PY'
import importlib.metadata, re, sys
for wanted in sys.argv[1:]:
    if wanted == "-r" or wanted.endswith(".txt"):
        continue
    name = "latchkey-verifier" if "/" in wanted else re.split(r"[[=<>]", wanted)[0]
    print("there:", name, importlib.metadata.version(name), file=sys.stderr)
PY`,
}

/** Makes the folder, with Python's packages in `.venv` and the checkout of Latchkey in `~/latchkey`. */
export async function makeShell(t: Test): Promise<Shell> {
  const directory = t.testdir({ bin: {}, home: {} })
  const bin = join(directory, 'bin')
  for (const [name, text] of Object.entries(PROGRAMS)) {
    writeFileSync(join(bin, name), `#!/usr/bin/env bash\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const venv = join(await python(), '../..')
  const home = join(directory, 'home')
  mkdirSync(home, { recursive: true })
  symlinkSync(ROOT, join(home, 'latchkey'))
  symlinkSync(venv, join(directory, '.venv'))
  const { PATH = '' } = process.env
  const env = {
    PATH: `${bin}:${PATH}`,
    HOME: home,
    NODE: process.execPath,
    ROOT,
    VENV: venv,
    PASSWORD,
    PYTHONDONTWRITEBYTECODE: '1',
  }
  return { directory, env }
}

// What a check may say of a command. Bash goes on after `! command`, whatever it did; it ends after a
// function that fails.
const CHECKS = `fails () { ! "$@"; }
answers () {
  local got
  got="$(curl --output /dev/null --write-out '%{http_code}' "\${@:2}")" || true
  [ "$got" = "$1" ] || { echo "answered $got, not $1: \${*:2}" >&2; return 1; }
}`

/**
 * Types lines; gives what they print. `fails COMMAND…` and `answers STATUS CURL'S-ARGUMENTS…` check a
 * refusal.
 *
 * @throws Error with what they wrote to standard error, where one of them fails; Error at a line with
 *   `! command`, which could never fail
 */
export async function runLines(shell: Shell, lines: string): Promise<string> {
  const inverted = /(?:^|;|&&|\|\|)[ \t]*!\s.*/m.exec(lines)?.[0]
  if (inverted !== undefined) throw new Error(`no check, write fails: ${inverted}`)
  const typed = lines
    .replaceAll(
      /^python3 -m venv \.venv( &&)?/gm,
      (_, and?: string) => `true${and ?? ''}`,
    )
    .replaceAll('.venv/bin/pip install', 'pip-install')
  const state = join(shell.directory, 'bin/state')
  // What a block exports, or just sets, is there in the next one.
  const script = `exec </dev/null\n${CHECKS}\nset -a -e -o pipefail\n${typed}\nenv -0 > ${state}\n`
  const { stdout } = await runChild('bash', ['-c', script], {
    cwd: shell.directory,
    env: shell.env,
    timeout: PATIENCE_MS,
  })
  for (const entry of readFileSync(state, 'utf8').split('\0')) {
    const at = entry.indexOf('=')
    if (at > 0) shell.env[entry.slice(0, at)] = entry.slice(at + 1)
  }
  return String(stdout)
}
