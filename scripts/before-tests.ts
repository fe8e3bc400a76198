// Runs before `npm test`: brings the redis-server that it needs where this user may install packages, and
// says how long the tests take.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { delimiter, join } from 'node:path'

/** A system's way to install Redis. */
interface Installer {
  readonly command: string
  readonly steps: readonly (readonly string[])[]
  /** Whether it wants root; Homebrew refuses root. */
  readonly asRoot: boolean
}

const INSTALLERS: readonly Installer[] = [
  {
    command: 'apt-get',
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', 'redis-server'],
    ],
    asRoot: true,
  },
  { command: 'dnf', steps: [['install', '-y', '-q', 'redis']], asRoot: true },
  { command: 'apk', steps: [['add', '--quiet', 'redis']], asRoot: true },
  { command: 'brew', steps: [['install', '--quiet', 'redis']], asRoot: false },
]

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

/** What a person would type. */
function lineOf({ command, steps, asRoot }: Installer): string {
  const words = (steps.at(-1) ?? []).filter(word => !word.startsWith('-'))
  return `${asRoot ? 'sudo ' : ''}${command} ${words.join(' ')}`
}

/** Installs Redis; throws a sentence that says what to type where it may not. */
function bringRedis(): void {
  const installer = INSTALLERS.find(({ command }) => isOnPath(command))
  const needs = 'npm test needs redis-server on the PATH'
  if (installer === undefined) {
    throw new Error(`${needs}: install Redis by your system's package manager`)
  }
  const isRoot = process.getuid?.() === 0
  if (installer.asRoot !== isRoot) throw new Error(`${needs}: ${lineOf(installer)}`)
  console.log(`${needs}; installing it by ${installer.command}.`)
  // Not every step has to do: a list of packages may be old and good enough.
  const failed = installer.steps.filter(
    step =>
      spawnSync(installer.command, step, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      }).status !== 0,
  )
  if (!isOnPath('redis-server')) {
    const steps = failed.map(step => [installer.command, ...step].join(' ')).join(', ')
    throw new Error(
      `${needs}, and ${steps || installer.command} brought none: put one there`,
    )
  }
}

try {
  if (!isOnPath('redis-server')) bringRedis()
  console.log('The tests take 7 to 15 minutes on two cores.')
  const [load = 0] = loadavg()
  if (load > 2 * availableParallelism()) {
    console.log(`The machine is busy (load ${load.toFixed(1)}): they will take longer.`)
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
