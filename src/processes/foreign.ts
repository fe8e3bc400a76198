// Whose cluster a process belongs to. PM2's cluster mode starts programs by Node's cluster as we do, and
// knows nothing of what our supervising process says to its servers.

/** The variable that the supervising process adds for its servers. */
export const SUPERVISED = 'LATCHKEY_SUPERVISED'

/** Logged by a server that somebody else's cluster has started. */
export const FOREIGN_CLUSTER =
  "another program's cluster has started this server (PM2's cluster mode?): each of its processes has " +
  'metrics and limits of its own, and hashes as if it were alone; start it by itself and set `processes`'

/** Says that only the first process of a cluster, which isn't ours, can start so many. */
export function notOurCluster(count: number): Error {
  return new Error(
    `processes: ${count} can't be started, as another program's cluster has started this one (PM2's ` +
      "cluster mode?): start it by itself (PM2's fork mode), or set processes to 1",
  )
}
