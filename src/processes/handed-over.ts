// The connections that the supervising process hands to a server process. Node's cluster keeps each one until
// the process says that it has taken it, also where the process ends before it could: the connection would
// stay open, and its client would wait without end.

/** What sends to a process, and says when it has ended and all that it had said was heard. */
interface Process {
  send?(...sent: unknown[]): boolean
  on(event: 'close', closed: () => void): unknown
}

/** A connection, in Node's own form. Closing one that is closed does nothing. */
interface Connection {
  close(): void
}

/**
 * Ends the connections that a process was handed and has not taken, once it has ended. Not at its `exit`,
 * which may come before its last words; nor at `disconnect`, which never comes while it has one to take.
 */
export function endUntaken(process: Process): void {
  // By port. A process gets the next one of a port only after it has taken the last.
  const latest = new Map<unknown, Connection>()
  const { send } = process
  process.send = (...sent) => {
    const [message, handle] = sent
    if (isNewConnection(message) && isConnection(handle)) latest.set(message.key, handle)
    return send?.apply(process, sent) ?? false
  }
  process.on('close', () => {
    for (const connection of latest.values()) connection.close()
  })
}

/** As Node's cluster says it (lib/internal/cluster/round_robin_handle.js). */
function isNewConnection(message: unknown): message is { readonly key: unknown } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'act' in message &&
    message.act === 'newconn' &&
    'key' in message
  )
}

function isConnection(handle: unknown): handle is Connection {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'close' in handle &&
    typeof handle.close === 'function'
  )
}
