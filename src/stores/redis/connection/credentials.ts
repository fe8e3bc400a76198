// Passwords that are read from a file for every connection, so that they can be changed without a restart.
import { Cluster, type Redis, type RedisOptions } from 'ioredis'
import { rereadingPassword } from './files.ts'

export interface PasswordFiles {
  /** In the place of `store.password`. */
  readonly passwordFile?: string | undefined
  readonly sentinel?: { readonly passwordFile?: string | undefined } | undefined
}

/**
 * The options that hold these passwords, each read when the driver asks for it.
 *
 * @throws TypeError when a file can't be read
 */
export function readPasswords({ passwordFile, sentinel }: PasswordFiles) {
  const sentinelFile = sentinel?.passwordFile
  return {
    ...(passwordFile !== undefined && {
      password: rereadingPassword('store.passwordFile', passwordFile),
    }),
    ...(sentinelFile !== undefined && {
      sentinelPassword: rereadingPassword('store.sentinel.passwordFile', sentinelFile),
    }),
  }
}

type Passwords = ReturnType<typeof readPasswords>

/** Gives a client, and in a cluster each of its nodes, the passwords. To be called before it connects. */
export function givePasswords(client: Redis | Cluster, passwords: Passwords): void {
  if (client instanceof Cluster) {
    client.on('+node', (node: Redis) => define(node.options, passwords))
  } else define(client.options, passwords)
}

// The driver copies its options once and reads them at each connection: a plain value would be that of the
// start.
function define(options: RedisOptions, passwords: Passwords): void {
  for (const [name, get] of Object.entries(passwords)) {
    Object.defineProperty(options, name, {
      get,
      enumerable: true,
      configurable: true,
    })
  }
}
