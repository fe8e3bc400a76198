// TLS to Redis: the files that prove the server to us, and us to the server.
import { rereading } from './files.ts'

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
 * The options for a TLS connection. The files are read again for every connection.
 *
 * @throws TypeError when a file can't be read
 */
export function readTls({ caFile, certFile, keyFile, serverName }: TlsFiles) {
  return Object.defineProperties(
    { ...(serverName !== undefined && { servername: serverName }) },
    {
      ...(caFile !== undefined && { ca: read('caFile', caFile) }),
      ...(certFile !== undefined && { cert: read('certFile', certFile) }),
      ...(keyFile !== undefined && { key: read('keyFile', keyFile) }),
    },
  )
}

function read(key: string, file: string) {
  return { enumerable: true, get: rereading(`store.tls.${key}`, file) }
}
