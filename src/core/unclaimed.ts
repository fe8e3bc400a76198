// A server says what to run when an attribute has become unique and accounts of before have values that
// nobody has claimed.
import type { Core } from './core.ts'

/** What the notice needs. */
export interface UnclaimedOptions {
  readonly core: Pick<Core, 'valueClaims'>
  readonly log: {
    warn(message: string): void
    warn(fields: { readonly err: unknown }, message: string): void
  }
  readonly wait: (ms: number) => Promise<unknown>
  /** Ends a look that goes on. */
  readonly parts: AsyncDisposableStack
}

/** Makes the look at every account, in the background; its promise never rejects. */
export function createUnclaimedNotice({
  core,
  log,
  wait,
  parts,
}: UnclaimedOptions): () => Promise<void> {
  const ending = new AbortController()
  const { signal } = ending
  parts.defer(() => ending.abort())
  return async () => {
    try {
      const attributes = await core.valueClaims.unclaimed({ signal, wait })
      for (const attribute of attributes) log.warn(adviceOn(attribute))
    } catch (err) {
      if (signal.aborted) return
      log.warn({ err }, 'the unique values of accounts could not be looked through')
    }
  }
}

function adviceOn(attribute: string): string {
  return (
    `attributes.${attribute} is unique, and accounts have values of before: they aren't found by them, and ` +
    'somebody else may take these; run `latchkey users claim` once every server has this configuration'
  )
}
