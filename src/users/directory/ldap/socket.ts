// A socket to an LDAP server, by TLS. StartTLS is done here and not by the library: what an attacker appends
// to the server's answer must never be read as if it had come by TLS, and nothing may connect again without.
import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { BerReader } from 'ldapts'
import { authoritiesOf, LdapFault, whereOf, type LdapServer } from './server.ts'

/** The extended request of RFC 4511 §4.14, as message 1. */
const START_TLS = Buffer.concat([
  Buffer.from([0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16]),
  Buffer.from('1.3.6.1.4.1.1466.20037'),
])
const SEQUENCE = 0x30
const EXTENDED_RESPONSE = 0x78
/** Far more than an answer to it has. */
const MOST_BYTES = 8_192

/**
 * Connects. Rejects with LdapFault, also when `signal` aborts or a file of the configuration can't be read;
 * the socket is gone then.
 */
export async function openSocket(
  server: LdapServer,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port, isLdaps } = whereOf(server)
  const { serverName = host } = server
  const identity = {
    host,
    ...(isIP(serverName) === 0 && { servername: serverName }),
    ...authoritiesOf(server),
    minVersion: 'TLSv1.2' as const,
  }
  if (isLdaps) {
    return settled(connectTls({ ...identity, port }), 'secureConnect', signal)
  }
  const plain = await settled(connectTcp({ host, port }), 'connect', signal)
  if (server.plaintext) return plain
  await startTls(plain, signal)
  return settled(connectTls({ ...identity, socket: plain }), 'secureConnect', signal)
}

async function settled<Opened extends Socket>(
  socket: Opened,
  event: string,
  signal: AbortSignal,
): Promise<Opened> {
  // An error without a listener would end the process.
  socket.on('error', () => {})
  try {
    await once(socket, event, { signal })
    return socket.setNoDelay(true).setKeepAlive(true, 10_000)
  } catch (error) {
    socket.destroy()
    throw new LdapFault(`no connection (${Object(error).code})`)
  }
}

/** Asks for TLS. Nothing is sent after a refusal. */
async function startTls(socket: Socket, signal: AbortSignal): Promise<void> {
  const give = () => socket.destroy()
  signal.addEventListener('abort', give, { once: true })
  socket.write(START_TLS)
  const answer = await readResultCode(socket).catch((error: unknown) =>
    error instanceof LdapFault ? error : new LdapFault('StartTLS: no LDAP answer'),
  )
  signal.removeEventListener('abort', give)
  if (answer === 0) return
  socket.destroy()
  throw answer instanceof LdapFault
    ? answer
    : new LdapFault(`StartTLS is refused (result code ${answer})`)
}

function readResultCode(socket: Socket): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  let read: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    read = Buffer.concat([read, chunk])
    try {
      const code = resultCodeIn(read)
      if (code === undefined) return
      socket.pause()
      resolve(code)
    } catch (error) {
      reject(error)
    }
  }
  const onClose = () => {
    reject(new LdapFault('StartTLS: the connection was closed'))
  }
  socket.on('data', onData)
  socket.once('close', onClose)
  return promise.finally(() => {
    socket.off('data', onData)
    socket.off('close', onClose)
  })
}

/** The result code; undefined: not all has come yet. Throws where it is anything but that one answer. */
function resultCodeIn(bytes: Buffer): number | null | undefined {
  if (bytes.length > MOST_BYTES) throw new LdapFault('StartTLS: an answer without end')
  const reader = new BerReader(bytes)
  if (reader.readSequence(SEQUENCE) === null) return undefined
  if (reader.remain < reader.length) return undefined
  if (reader.remain > reader.length) {
    throw new LdapFault('StartTLS: more than the answer came in the clear')
  }
  reader.readInt()
  reader.readSequence(EXTENDED_RESPONSE)
  return reader.readEnumeration()
}
