// What the configuration says about keys, for the server and the command line alike: they change the same
// ring.
import type { Config } from './schema.ts'

/**
 * The policy of the key ring; spans in milliseconds. The longest access token of any client decides how long
 * a retired key stays.
 */
export function keyPolicy({ tokens, audiences, keys, clients }: Config) {
  return {
    algorithm: tokens.algorithm,
    audienceAlgorithms: [
      ...new Set([
        ...Object.values(audiences).flatMap(({ algorithm }) => algorithm ?? []),
        ...clients.flatMap(({ idTokenAlgorithm }) => idTokenAlgorithm ?? []),
      ]),
    ].sort(),
    rotateEveryMs: keys.rotateEvery,
    publishAheadMs: keys.publishAhead,
    accessTtlMs: Math.max(
      tokens.accessTtl,
      ...clients.map(client => client.accessTtl ?? 0),
    ),
  }
}
