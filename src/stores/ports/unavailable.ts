// Every promise of a port may reject with StoreUnavailable, and with nothing else:
// a fault is never a verdict.

/**
 * The store failed, timed out or is known to be down. The caller answers 503; nothing may be concluded from
 * it.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  /**
   * For whoever runs the server, never for a client, and without a secret: what is the matter with what, and
   * what to do.
   */
  readonly reason: string

  constructor(cause: unknown, reason: string) {
    super(`the store is unavailable: ${reason}`, { cause })
    this.reason = reason
  }
}
