// Reads that touch the keys of many accounts: one script where a server has all keys, which is a fraction of
// the work of hundreds of commands; in a cluster as many commands as there are keys, each to its own slot.
import { StoreUnavailable } from '../../../ports/unavailable.ts'
import type { Caller } from '../../connection/caller.ts'
import { isReply } from '../../connection/reasons.ts'

/** Reads in one of two ways. */
export type ReadTogether = <T>(
  together: () => Promise<T>,
  apart: () => Promise<T>,
) => Promise<T>

/** Makes the choice: by what the connection is, and by what the server says. */
export function createReadTogether({ client }: Pick<Caller, 'client'>): ReadTogether {
  let hasAllKeys = !client.isCluster
  return async (together, apart) => {
    if (!hasAllKeys) return apart()
    try {
      return await together()
    } catch (error) {
      // What stands before a cluster may look like one server.
      if (!isCrossSlot(error)) throw error
      hasAllKeys = false
      return apart()
    }
  }
}

function isCrossSlot(error: unknown): boolean {
  return (
    error instanceof StoreUnavailable &&
    isReply(error.cause) &&
    String(error.cause).includes('CROSSSLOT')
  )
}
