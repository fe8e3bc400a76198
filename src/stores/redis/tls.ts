// TLS to Redis: the files that prove the server to us, and us to the server.
import { readFileSync } from 'node:fs'

export interface TlsFiles {
  /** PEM of the authorities that may vouch for the server; undefined: those that Node knows. */
  readonly caFile?: string | undefined
  /** PEM of our certificate and its key. */
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  /** The name in the server's certificate, where it isn't the host's. */
  readonly serverName?: string | undefined
}

/**
 * The options for a TLS connection. The files are read again for every connection, so that renewed
 * certificates need no restart.
 *
 * @throws Error when a file can't be read
 */
export function readTls({ caFile, certFile, keyFile, serverName }: TlsFiles) {
  return Object.defineProperties(
    { ...(serverName !== undefined && { servername: serverName }) },
    {
      ...(caFile !== undefined && { ca: rereading(caFile) }),
      ...(certFile !== undefined && { cert: rereading(certFile) }),
      ...(keyFile !== undefined && { key: rereading(keyFile) }),
    },
  )
}

function rereading(file: string) {
  let text = readFileSync(file, 'utf8')
  return {
    enumerable: true,
    get() {
      try {
        text = readFileSync(file, 'utf8')
      } catch {
        // It is just being replaced: the one of before goes on.
      }
      return text
    },
  }
}
