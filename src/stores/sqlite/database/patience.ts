// How patient a call is with another process that has the file: a second server, or a command line. Reading
// and writing wait alike. The waiting itself stands beside each.

/** How long a call waits, in ms: below the 2 s in which the server must answer. */
export const BUSY_MS = 1000

/**
 * How long it leaves the event loop to others meanwhile, in ms: SQLite's own waiting would stop every other
 * request.
 */
export const PAUSE_MS = 10
