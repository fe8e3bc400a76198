// Asks a directory for a name and an id that nobody has: whether it answers, and in words that make sense, is
// known before the first login.
import type { Random } from '../../base/random.ts'
import type { Lookup, NamedDirectory, Verdict } from './external.ts'

/**
 * Asks a directory for a name that nobody has, with a password that nobody has, and for such an id where it
 * may be asked for any; closes it.
 *
 * @returns why it gives no verdict, naming its host or what is missing; undefined: it gives one
 */
export async function probeDirectory(
  directory: NamedDirectory,
  random: Pick<Random, 'uuid'>,
): Promise<string | undefined> {
  const { timeout } = directory.settings
  const asking = new AbortController()
  const { promise, resolve } = Promise.withResolvers<string>()
  // Unlike that of AbortSignal.timeout it keeps a command alive until it has its answer.
  const timer = setTimeout(() => {
    asking.abort()
    resolve(`no answer within ${timeout} ms (timeout)`)
  }, timeout)
  try {
    return await Promise.race([
      askForNobody({ directory, random, signal: asking.signal }),
      promise,
    ])
  } finally {
    clearTimeout(timer)
    await directory.close()
  }
}

async function askForNobody({
  directory,
  random,
  signal,
}: {
  readonly directory: NamedDirectory
  readonly random: Pick<Random, 'uuid'>
  readonly signal: AbortSignal
}): Promise<string | undefined> {
  const name = `nobody-${random.uuid()}`
  const attempt = { name, foldedName: name, password: random.uuid() }
  const verdict = await directory.verify(attempt, signal)
  if (verdict.kind === 'ok' || verdict.kind === 'hash') {
    return `it knows somebody called ${name}, whom nobody has ever added`
  }
  const fault = faultIn(verdict)
  if (fault !== undefined || directory.takesAnyId !== true) return fault
  return faultIn(await directory.lookup(random.uuid(), signal))
}

/** Undefined also where it refuses this name or id: it answers. */
function faultIn(said: Verdict | Lookup): string | undefined {
  return said.kind === 'unavailable' && said.scope !== 'question' ? said.fault : undefined
}
