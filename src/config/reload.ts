// A running server takes a changed configuration: when its file changes (a swapped symlink, as Kubernetes
// does it, included) or when told to.
import { unwatchFile, watchFile } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { checkWays } from './rules/self-service.ts'
import type { Config } from './schema.ts'

/** What the watch needs. */
export interface ConfigWatch {
  readonly file: string
  /** Reads and checks the file; rejects when it is bad. */
  readonly load: (file: string) => Promise<Config>
  /** Takes the new configuration. Asked once at a time, in order. */
  readonly apply: (next: Config) => void | Promise<void>
  /** Told why a file, or its application, was refused; the old configuration stays. */
  readonly onRefused: (error: Error) => void
  /** How often the file is looked at, in milliseconds. */
  readonly intervalMs: number
}

/** A running watch. */
export interface RunningConfigWatch {
  /** Reads the file now (SIGHUP). Resolves when it was applied or refused; never rejects. */
  reload(): Promise<void>
  /** Stops looking at the file. */
  stop(): void
}

/** Starts to look at the file; doesn't keep the process alive. The file is not read before it changes. */
export function watchConfig({
  file,
  load,
  apply,
  onRefused,
  intervalMs,
}: ConfigWatch): RunningConfigWatch {
  let last = Promise.resolve()
  const reload = (): Promise<void> => {
    last = last.then(async () => apply(await load(file))).catch(onRefused)
    return last
  }
  // stat(2) by interval follows symlinks, which inotify does not.
  const onChange = () => {
    reload()
  }
  watchFile(file, { interval: intervalMs, persistent: false }, onChange)
  return {
    reload,
    stop: () => {
      unwatchFile(file, onChange)
    },
  }
}

/**
 * Splits a new configuration into what may change while the server runs and what may not.
 *
 * @returns `config`, the old one with the live keys of the new one, and the paths of the changed keys that
 * wait for a restart
 */
export function reloadable(
  old: Config,
  next: Config,
): { config: Config; needRestart: string[] } {
  const live: Config = {
    ...old,
    clients: next.clients,
    tokens: next.tokens,
    dpop: next.dpop,
    claims: next.claims,
    audiences: next.audiences,
    throttle: next.throttle,
    attributes: next.attributes,
    login: next.login,
    directory: next.directory,
    passwords: { ...old.passwords, minLength: next.passwords.minLength },
    log: { ...old.log, ...liveLog(next.log) },
    scim: next.scim,
    admin: next.admin,
    notify: sameWays(old.notify, next.notify),
  }
  // What runs on has to be sent until the restart: its ways stay with it.
  const config = checkWays(live).length > 0 ? { ...live, notify: old.notify } : live
  // What is still different now was not taken over.
  return { config, needRestart: differences(config, next) }
}

/** The form of the lines is that of the start. */
function liveLog({ level, usernames, successes }: Config['log']): Partial<Config['log']> {
  return { level, usernames, successes }
}

/** A way that is new has nobody yet who sends by it. */
function sameWays(old: Config['notify'], next: Config['notify']): Config['notify'] {
  const { webhook, mail, ...rest } = next
  return {
    ...rest,
    ...(old.webhook && webhook && { webhook }),
    ...(old.mail && mail && { mail }),
  }
}

function differences(from: unknown, to: unknown, path = ''): string[] {
  if (isDeepStrictEqual(from, to)) return []
  if (!isSection(from) || !isSection(to)) return [path]
  const keys = new Set([...Object.keys(from), ...Object.keys(to)])
  return [...keys].flatMap(key =>
    differences(from[key], to[key], path === '' ? key : `${path}.${key}`),
  )
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
