// Why Redis is unavailable, in words for whoever runs it: which host, what it said, what to do. A driver's
// message or a reply is never repeated as it is: either may quote what was sent, and with it a password.
import { Cluster, type Redis } from 'ioredis'
import { StoreUnavailable } from '../../ports/unavailable.ts'

/** A fault that this program found itself. Its message names the host and holds no secret. */
export class RedisFault extends Error {
  override readonly name = 'RedisFault'
}

const NO_TLS =
  'there is no TLS at this port: redis:// instead of rediss://, or another port'
const CLIENT_CERTIFICATE =
  "it refused this server's certificate, or the want of one: store.tls.certFile and keyFile"
const UNKNOWN_CA =
  'its certificate is vouched for by nobody that is known here: store.tls.caFile'
const MISMATCHED_FILES =
  "store.tls.certFile and store.tls.keyFile don't belong together, or hold no PEM"

/** By the code of an error of Node's or of OpenSSL's. */
const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'it ended the connection: a TLS port wants rediss://',
  EPIPE: 'it ended the connection',
  ENOTFOUND: 'the name is unknown: store.url, or DNS',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no connection in time: the address, a firewall or a NetworkPolicy',
  EHOSTUNREACH: 'no way there: the network or a firewall',
  ENETUNREACH: 'no way there: the network or a firewall',
  EACCES: 'this host does not let the process connect: a firewall or a sandbox',
  EPERM: 'this host does not let the process connect: a firewall or a sandbox',
  EMFILE: 'this process has too many files open: raise its limit (ulimit -n)',
  ENFILE: 'this host has too many files open',
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'no version of TLS that both take',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'no version of TLS that both take',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: CLIENT_CERTIFICATE,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: CLIENT_CERTIFICATE,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  CERT_SIGNATURE_FAILURE: UNKNOWN_CA,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: are both clocks right?',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another name: the host in store.url, or store.tls.serverName',
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: MISMATCHED_FILES,
  ERR_OSSL_PEM_NO_START_LINE: MISMATCHED_FILES,
  ERR_OSSL_PEM_BAD_END_LINE: MISMATCHED_FILES,
}

/** By the word that a reply of Redis' begins with, or has inside where a script met it. */
const BY_WORD: Readonly<Record<string, string>> = {
  WRONGPASS: 'user or password refused',
  NOAUTH: 'it wants a password: store.password or store.passwordFile',
  OOM: 'its memory is full: raise maxmemory, and leave maxmemory-policy noeviction',
  READONLY: 'it is a replica: store.url must lead to the primary',
  LOADING: 'it still loads its data',
  MISCONF: "it can't save to its disk and takes no writes: see its own log",
  NOREPLICAS: 'fewer replicas than its min-replicas-to-write',
  MASTERDOWN: 'a replica without its primary',
  CLUSTERDOWN: 'the cluster misses a master: redis-cli cluster nodes',
  TRYAGAIN: 'a slot of the cluster is being moved',
  MOVED: 'it is part of a cluster: redis+cluster:// in store.url',
  ASK: 'it is part of a cluster: redis+cluster:// in store.url',
  CROSSSLOT: 'it is part of a cluster: redis+cluster:// in store.url',
  BUSY: "it runs somebody's script: redis-cli script kill",
  DENIED: 'protected mode: set requirepass or ACL users there',
  WRONGTYPE:
    'a key holds something else: does another program use this database? Take another number in store.url',
}

/** By what the text of a reply says. */
const BY_TEXT: ReadonlyArray<readonly [RegExp, string]> = [
  [/max number of clients reached/, 'it has no connection left: raise maxclients'],
  [/No such master/, 'it knows no primary of the name in store.url'],
  [/cluster support disabled/, 'it is no cluster: redis:// in store.url'],
  [
    /not allowed in cluster mode/,
    'it is part of a cluster: redis+cluster:// in store.url, without a database',
  ],
  [
    /no password is set|without any password configured/,
    'it has no password: take store.password away, or set one there',
  ],
  [/invalid password/, 'password refused'],
  [
    /unknown command/,
    'no such command there: is it a Redis of 6.2 or newer, and no sentinel?',
  ],
]

const REPLY_WORD = new RegExp(`\\b(${Object.keys(BY_WORD).join('|')})\\b`)
const NO_PERMISSION = /\bNOPERM\b|ACL failure|The user executing the script/
const REPLY_MAX = 120

/** HOST:PORT of a connection, as configured where that is one host. */
export function addressOf(client: Redis | Cluster): string {
  if (client instanceof Cluster) {
    const nodes = client.nodes('master').map(addressOf)
    return nodes.length === 0 ? 'the cluster' : nodes.toSorted().join(', ')
  }
  const { host, port, sentinels, name } = client.options
  return sentinels === undefined || sentinels === null
    ? endpoint(String(host), Number(port))
    : `the primary ${name} of the sentinels`
}

/** HOST:PORT, an IPv6 address in brackets. */
export function endpoint(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * Why a connection or a command failed, such as `WRONGPASS at redis:6379 (user or password refused)`;
 * undefined where the driver only says that there is no connection.
 *
 * @param at HOST:PORT
 */
export function reasonOf(error: unknown, at: string): string | undefined {
  if (error instanceof RedisFault) return error.message
  if (!(error instanceof Error)) return undefined
  if (isReply(error)) return replyReason(error.message, at)
  const { code, address = '', port = 0 } = detailsOf(error)
  if (code === undefined) return undefined
  const there = endpoint(address, port)
  // A name, or the primary that the sentinels named, may be at many addresses.
  const which = address === '' || at.includes(there) ? '' : `${there}: `
  return `${code} at ${at} (${which}${BY_CODE[code] ?? wordsOf(code)})`
}

/** What was thrown as StoreUnavailable, with its reason, or else with `otherwise`. */
export function unavailable(
  error: unknown,
  at: string,
  otherwise = `the connection to ${at} ended`,
): StoreUnavailable {
  return error instanceof StoreUnavailable
    ? error
    : new StoreUnavailable(error, reasonOf(error, at) ?? otherwise)
}

/** Whether an error is an answer of Redis', and no want of one. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

function replyReason(text: string, at: string): string {
  if (NO_PERMISSION.test(text)) {
    return `NOPERM at ${at} (${forbidden(text)}: docs/reliability.md lists what it needs)`
  }
  const word = REPLY_WORD.exec(text)?.[1]
  if (word !== undefined) return `${word} at ${at} (${BY_WORD[word]})`
  const meaning = BY_TEXT.find(([form]) => form.test(text))?.[1]
  const [first = ''] = text.split(' ', 1)
  return `${first} at ${at} (${meaning ?? withoutQuotes(text.slice(first.length + 1))})`
}

function forbidden(text: string): string {
  const command = /'([\w|-]+)' (?:command|subcommand)/.exec(text)?.[1]
  if (command !== undefined) return `the ACL user may not run ${command}`
  return /key/.test(text)
    ? 'the ACL user may not use the keys lk:*'
    : 'the ACL user may not run a command'
}

/** A reply quotes what it was sent. */
function withoutQuotes(text: string): string {
  return text
    .replace(/,? with args.*$/s, '')
    .replaceAll(/'[^']*'|"[^"]*"|`[^`]*`/g, '…')
    .replaceAll(/\s+/g, ' ')
    .slice(0, REPLY_MAX)
}

function detailsOf(error: Error): {
  readonly code?: string
  readonly address?: string
  readonly port?: number
} {
  return {
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    ...('address' in error && { address: String(error.address) }),
    ...('port' in error && { port: Number(error.port) }),
  }
}

/** OpenSSL's own name of an error, in words. */
function wordsOf(code: string): string {
  return code
    .replace(/^ERR_(SSL|OSSL|TLS)_/, '')
    .replaceAll('_', ' ')
    .toLowerCase()
}
