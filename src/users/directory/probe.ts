// Asks a directory for a name that nobody has: whether it answers, and in words that make sense, is known
// before the first login.
import type { Random } from '../../base/random.ts'
import type { NamedDirectory } from './external.ts'

/**
 * Asks a directory for a name that nobody has, with a password that nobody has, and closes it.
 *
 * @returns why it gives no verdict, naming its host or what is missing; undefined: it gives one
 */
export async function probeDirectory(
  directory: NamedDirectory,
  random: Pick<Random, 'uuid'>,
): Promise<string | undefined> {
  const { timeout } = directory.settings
  const name = `nobody-${random.uuid()}`
  const attempt = { name, foldedName: name, password: random.uuid() }
  const asking = new AbortController()
  const { promise, resolve } = Promise.withResolvers<undefined>()
  // Unlike that of AbortSignal.timeout it keeps a command alive until it has its answer.
  const timer = setTimeout(() => {
    asking.abort()
    resolve(undefined)
  }, timeout)
  try {
    const verdict = await Promise.race([
      directory.verify(attempt, asking.signal),
      promise,
    ])
    if (verdict === undefined) return `no answer within ${timeout} ms (timeout)`
    // It refuses this name, and so it answers.
    if (verdict.kind === 'unavailable') {
      return verdict.scope === 'question' ? undefined : verdict.fault
    }
    return verdict.kind === 'ok' || verdict.kind === 'hash'
      ? `it knows somebody called ${name}, whom nobody has ever added`
      : undefined
  } finally {
    clearTimeout(timer)
    await directory.close()
  }
}
