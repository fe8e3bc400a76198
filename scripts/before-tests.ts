// Runs before `npm test`: brings redis-server and curl, which it needs, where this user may install packages,
// and says how long the tests take.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { delimiter, join } from 'node:path'

/** A system's way to install packages. */
interface Installer {
  readonly command: string
  /** What goes before the packages' names. */
  readonly install: readonly string[]
  readonly before?: readonly string[]
  /** The package that has redis-server. */
  readonly redis: string
  /** Whether it wants root; Homebrew refuses root. */
  readonly asRoot: boolean
}

const INSTALLERS: readonly Installer[] = [
  {
    command: 'apt-get',
    before: ['update', '-qq'],
    install: ['install', '-y', '-qq'],
    redis: 'redis-server',
    asRoot: true,
  },
  { command: 'dnf', install: ['install', '-y', '-q'], redis: 'redis', asRoot: true },
  { command: 'apk', install: ['add', '--quiet'], redis: 'redis', asRoot: true },
  { command: 'brew', install: ['install', '--quiet'], redis: 'redis', asRoot: false },
]

const NEEDED = ['redis-server', 'curl']
const AND = new Intl.ListFormat('en-GB')

function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function packagesOf({ redis }: Installer, commands: readonly string[]): string[] {
  return commands.map(command => (command === 'redis-server' ? redis : command))
}

/** What a person would type. */
function lineOf(installer: Installer, commands: readonly string[]): string {
  const { command, install, asRoot } = installer
  const words = [
    ...install.filter(word => !word.startsWith('-')),
    ...packagesOf(installer, commands),
  ]
  return `${asRoot ? 'sudo ' : ''}${command} ${words.join(' ')}`
}

/** Installs what is missing; throws a sentence that says what to type where it may not. */
function bring(commands: readonly string[]): void {
  const installer = INSTALLERS.find(({ command }) => isOnPath(command))
  const needs = `npm test needs ${AND.format(commands)} on the PATH`
  if (installer === undefined) {
    throw new Error(`${needs}: install what is missing by your system's package manager`)
  }
  const isRoot = process.getuid?.() === 0
  if (installer.asRoot !== isRoot) {
    throw new Error(`${needs}: ${lineOf(installer, commands)}`)
  }
  console.log(`${needs}; installing by ${installer.command}.`)
  const { command, before, install } = installer
  const steps = [
    ...(before === undefined ? [] : [before]),
    [...install, ...packagesOf(installer, commands)],
  ]
  // Not every step has to do: a list of packages may be old and good enough.
  const failed = steps.filter(
    step =>
      spawnSync(command, step, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      }).status !== 0,
  )
  const left = commands.filter(each => !isOnPath(each))
  if (left.length > 0) {
    const tried = failed.map(step => [command, ...step].join(' ')).join(', ')
    throw new Error(
      `npm test needs ${AND.format(left)} on the PATH, and ${tried || command} brought none: put ` +
        `${left.length === 1 ? 'one' : 'them'} there`,
    )
  }
}

try {
  const missing = NEEDED.filter(command => !isOnPath(command))
  if (missing.length > 0) bring(missing)
  console.log('The tests take 7 to 15 minutes on two cores.')
  const [load = 0] = loadavg()
  if (load > 2 * availableParallelism()) {
    console.log(`The machine is busy (load ${load.toFixed(1)}): they will take longer.`)
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
