// A small LDAP server, which answers by the rules or breaks them as it is told.
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { createSecureContext, createServer as createTlsServer, TLSSocket } from 'node:tls'
import { BerReader, BerWriter } from 'ldapts'
import type { LdapDirectorySettings } from '../../src/users/directory/ldap/ldap-directory.ts'

const TLS = join(import.meta.dirname, 'tls')
/** The authority that vouches for the server. */
export const LDAP_CA = join(TLS, 'ca.pem')
const KEY_PAIR = {
  key: readFileSync(join(TLS, 'server-key.pem')),
  cert: readFileSync(join(TLS, 'server.pem')),
}

/** An entry. */
export interface LdapEntry {
  dn: string
  /** Undefined: none is right. */
  password?: string
  /** What a bind is answered, whatever the password. */
  result?: { code: number; message?: string }
  values: Record<string, (string | Buffer)[]>
}

/** How the server answers: what comes before StartTLS is answered, too, but for the last three. */
export type LdapMode =
  'up' | 'silent' | 'cut' | 'garbage' | 'refuse-tls' | 'inject' | 'endless' | 'no-ldap'

/** The server. */
export interface LdapWorld {
  readonly url: string
  readonly entries: LdapEntry[]
  mode: LdapMode
  /** What every search is answered. */
  searchCode: number
  /** What it waits for before it answers a bind or a search. */
  hold?: Promise<void>
  service: { dn: string; password: string }
  /** How many came. */
  searches: number
  binds: number
  connections: number
  /** How many searches and binds came without TLS. */
  inTheClear: number
  readonly filters: string[]
  /** Ends every connection. */
  drop(): void
  stop(): Promise<void>
}

interface Filter {
  readonly text: string
  has(values: LdapEntry['values']): boolean
}

interface Line {
  readonly socket: Socket
  isSecure: boolean
  isService: boolean
}

const BASE = 'dc=example,dc=org'

/** Starts it on a free port of loopback. */
export async function startLdap(
  scheme: 'ldaps' | 'ldap' = 'ldaps',
  entries: LdapEntry[] = [],
): Promise<LdapWorld> {
  const sockets = new Set<Socket>()
  const take = (socket: Socket) => {
    world.connections += 1
    sockets.add(socket)
    listen(world, { socket, isSecure: scheme === 'ldaps', isService: false })
  }
  const server = scheme === 'ldaps' ? createTlsServer(KEY_PAIR, take) : createServer(take)
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const drop = () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  const world: LdapWorld = {
    url: `${scheme}://127.0.0.1:${port}`,
    entries,
    mode: 'up',
    searchCode: 0,
    service: { dn: `cn=latchkey,${BASE}`, password: 'a service of many years' },
    searches: 0,
    binds: 0,
    connections: 0,
    inTheClear: 0,
    filters: [],
    drop,
    async stop() {
      drop()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return world
}

/** The settings of a directory that asks it. */
export function ldapSettings(
  { url, service }: Pick<LdapWorld, 'url' | 'service'>,
  more: Partial<LdapDirectorySettings> = {},
): LdapDirectorySettings {
  return {
    type: 'ldap',
    name: 'staff',
    url,
    plaintext: false,
    caFile: LDAP_CA,
    serverName: 'redis.test',
    bindDn: service.dn,
    password: service.password,
    base: BASE,
    filter: '(&(objectClass=person)(uid={name}))',
    idAttribute: 'entryUUID',
    nameAttribute: 'uid',
    attributes: {},
    emailVerified: false,
    connections: 4,
    migrate: 'none',
    sub: 'own',
    timeout: 20_000,
    maxInFlight: 64,
    ...more,
  }
}

/** An entry of a person. */
export function person(
  uid: string,
  id: string,
  more: Partial<LdapEntry> = {},
): LdapEntry & { password: string } {
  return {
    dn: `uid=${uid},ou=people,${BASE}`,
    password: 'an entry of many years',
    ...more,
    values: { objectClass: ['person'], uid: [uid], entryUUID: [id], ...more.values },
  }
}

function listen(world: LdapWorld, line: Line): void {
  let read: Buffer = Buffer.alloc(0)
  line.socket.on('error', () => {})
  const onData = (chunk: Buffer) => {
    read = Buffer.concat([read, chunk])
    for (;;) {
      const reader = new BerReader(read)
      if (reader.readSequence() === null || reader.remain < reader.length) return
      const end = reader.offset + reader.length
      read = read.subarray(end)
      if (take(world, line, reader)) {
        line.socket.off('data', onData)
        return
      }
    }
  }
  line.socket.on('data', onData)
}

/** Answers a message; true: what comes next comes by TLS. */
function take(world: LdapWorld, line: Line, reader: BerReader): boolean {
  const id = Number(reader.readInt())
  const operation = reader.readSequence()
  if (operation === 0x77) return startTls(world, line, id)
  if (operation === 0x42) line.socket.end()
  if (operation === 0x60 || operation === 0x63) {
    if (!line.isSecure) world.inTheClear += 1
    const answer = operation === 0x60 ? bind(world, line, reader) : search(world, reader)
    const held = Promise.resolve(world.hold).then(() => {
      if (world.mode === 'cut') line.socket.destroy()
      else if (world.mode === 'garbage') line.socket.write('HTTP/1.1 400 Bad Request\r\n')
      else if (world.mode !== 'silent') line.socket.write(answer(id))
    })
    held.catch(() => {})
  }
  return false
}

function startTls(world: LdapWorld, line: Line, id: number): boolean {
  const { socket } = line
  const { mode } = world
  const answer = message(id, 0x78, mode === 'refuse-tls' ? 52 : 0)
  if (mode === 'silent') return false
  if (mode === 'cut') socket.destroy()
  else if (mode === 'no-ldap') socket.write(Buffer.from('30050201016100', 'hex'))
  else if (mode === 'endless') {
    socket.write(Buffer.concat([Buffer.from('30847fffffff', 'hex'), Buffer.alloc(9_000)]))
  }
  // What somebody on the way appends: the answer to the bind that is to come.
  else if (mode === 'inject') socket.write(Buffer.concat([answer, message(2, 0x61, 0)]))
  else {
    socket.write(answer.subarray(0, 1))
    setTimeout(() => socket.write(answer.subarray(1, 4)), 5)
    setTimeout(() => {
      socket.write(answer.subarray(4))
      secure(world, socket)
    }, 10)
  }
  return mode === 'up'
}

function secure(world: LdapWorld, socket: Socket): void {
  const secureContext = createSecureContext(KEY_PAIR)
  const tls = new TLSSocket(socket, { isServer: true, secureContext })
  listen(world, { socket: tls, isSecure: true, isService: false })
}

type Answer = (id: number) => Buffer

function bind(world: LdapWorld, line: Line, reader: BerReader): Answer {
  world.binds += 1
  reader.readInt()
  const dn = reader.readString() ?? ''
  const password = reader.readString(0x80) ?? ''
  const { service, entries } = world
  line.isService = dn === service.dn && password === service.password
  const entry = entries.find(each => each.dn === dn)
  // As real servers do.
  const isRight = line.isService || password === '' || entry?.password === password
  const result = entry?.result ?? { code: isRight ? 0 : 49 }
  return id => message(id, 0x61, result.code, result.message)
}

function search(world: LdapWorld, reader: BerReader): Answer {
  world.searches += 1
  const base = (reader.readString() ?? '').toLowerCase()
  const scope = reader.readEnumeration()
  reader.readEnumeration()
  const limit = Number(reader.readInt())
  reader.readInt()
  reader.readBoolean()
  const filter = readFilter(reader)
  world.filters.push(filter.text)
  reader.readSequence()
  const wanted: string[] = []
  while (reader.remain > 0) wanted.push((reader.readString() ?? '').toLowerCase())
  const found = world.entries.filter(
    ({ dn, values }) =>
      (scope === 0 ? dn.toLowerCase() === base : dn.toLowerCase().endsWith(base)) &&
      filter.has(values),
  )
  const given = limit > 0 ? found.slice(0, limit) : found
  const code = found.length > given.length ? 4 : world.searchCode
  return id =>
    Buffer.concat([
      ...(world.searchCode === 0
        ? given.map(each => entryMessage(id, each, wanted))
        : []),
      referenceMessage(id),
      message(id, 0x65, code),
    ])
}

/** Reads a filter as RFC 4511 §4.5.1 writes it. */
function readFilter(reader: BerReader): Filter {
  const tag = reader.readSequence()
  const end = reader.offset + reader.length
  const inner = () => {
    const filters: Filter[] = []
    while (reader.offset < end) filters.push(readFilter(reader))
    return filters
  }
  if (tag === 0xa0) {
    return joined('&', inner(), (all, values) => all.every(f => f.has(values)))
  }
  if (tag === 0xa1) {
    return joined('|', inner(), (all, values) => all.some(f => f.has(values)))
  }
  if (tag === 0xa2) return joined('!', inner(), ([f], values) => f?.has(values) === false)
  if (tag === 0x87) {
    const name = reader.buffer.subarray(reader.offset, end).toString()
    reader.offset = end
    return { text: `(${name}=*)`, has: values => valuesIn(values, name).length > 0 }
  }
  const parts: string[] = []
  while (reader.offset < end) parts.push(reader.readString(Number(reader.peek())) ?? '')
  const value = parts.at(-1) ?? ''
  const name = parts.at(-2) ?? ''
  return {
    text: `(${name}="${value}")`,
    has: values =>
      valuesIn(values, name).some(
        each => String(each).toLowerCase() === value.toLowerCase(),
      ),
  }
}

function joined(
  sign: string,
  filters: readonly Filter[],
  has: (filters: readonly Filter[], values: LdapEntry['values']) => boolean,
): Filter {
  const text = `(${sign}${filters.map(each => each.text).join('')})`
  return { text, has: values => has(filters, values) }
}

function valuesIn(values: LdapEntry['values'], wanted: string): (string | Buffer)[] {
  const name = wanted.toLowerCase()
  return Object.entries(values).find(([each]) => each.toLowerCase() === name)?.[1] ?? []
}

function message(id: number, operation: number, code: number, text = ''): Buffer {
  return written(id, operation, writer => {
    writer.writeEnumeration(code)
    writer.writeString('')
    writer.writeString(text)
  })
}

function entryMessage(id: number, entry: LdapEntry, wanted: readonly string[]): Buffer {
  return written(id, 0x64, writer => {
    writer.writeString(entry.dn)
    writer.startSequence()
    for (const [name, values] of Object.entries(entry.values)) {
      if (!wanted.includes(name.toLowerCase())) continue
      writer.startSequence()
      writer.writeString(name)
      writer.startSequence(0x31)
      for (const value of values) writer.writeBuffer(Buffer.from(value), 0x04)
      writer.endSequence()
      writer.endSequence()
    }
    writer.endSequence()
  })
}

/** Every search is referred to another server, too: nobody may go there. */
function referenceMessage(id: number): Buffer {
  return written(id, 0x73, writer => {
    writer.writeString('ldap://elsewhere.invalid/dc=example,dc=org')
  })
}

function written(
  id: number,
  operation: number,
  write: (writer: BerWriter) => void,
): Buffer {
  const writer = new BerWriter()
  writer.startSequence()
  writer.writeInt(id)
  writer.startSequence(operation)
  write(writer)
  writer.endSequence()
  writer.endSequence()
  return writer.buffer
}
