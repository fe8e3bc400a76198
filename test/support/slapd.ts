// OpenLDAP's slapd on free ports of loopback, with the certificate of the tests' authority.
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'ldapts'
import type { Test } from 'tap'
import { runChild, startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

const TLS = join(import.meta.dirname, 'tls')
/** Below it everything is. */
export const SUFFIX = 'dc=example,dc=org'
/** Who may change everything. */
const ROOT = { dn: `cn=root,${SUFFIX}`, password: 'root-of-the-tests' }
/** Who may read it. */
export const SERVICE = { dn: `cn=latchkey,${SUFFIX}`, password: 'service-of-the-tests' }

/** A slapd that runs. */
export interface Slapd {
  readonly ldaps: string
  readonly ldap: string
  /** Does something as somebody who may do all. */
  change<Result>(work: (client: Client) => Promise<Result>): Promise<Result>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  kill(): Promise<void>
  start(): Promise<void>
}

/** An entry of LDIF: its DN, and its attributes. */
export type Ldif = readonly [dn: string, ...lines: string[]]

/** A hash as OpenLDAP stores it. */
export function ssha(password: string): string {
  const salt = randomBytes(8)
  const hash = createHash('sha1').update(password).update(salt).digest()
  return `{SSHA}${Buffer.concat([hash, salt]).toString('base64')}`
}

/** Starts it with these entries; t.teardown ends it. */
export async function startSlapd(t: Test, entries: readonly Ldif[]): Promise<Slapd> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-slapd-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [plain, secure] = [await freePort(), await freePort()]
  const config = join(folder, 'slapd.conf')
  mkdirSync(join(folder, 'data'))
  writeFileSync(config, configOf(folder))
  const base: readonly Ldif[] = [
    [SUFFIX, 'objectClass: organization', 'objectClass: dcObject', 'o: x', 'dc: example'],
    [
      SERVICE.dn,
      'objectClass: organizationalRole',
      'objectClass: simpleSecurityObject',
      'cn: latchkey',
      `userPassword: ${ssha(SERVICE.password)}`,
    ],
  ]
  const ldif = join(folder, 'entries.ldif')
  writeFileSync(
    ldif,
    [...base, ...entries]
      .map(([dn, ...rest]) => [`dn: ${dn}`, ...rest, '', ''].join('\n'))
      .join(''),
  )
  await runChild('slapadd', ['-q', '-f', config, '-l', ldif])
  return keep(t, { config, plain, secure })
}

function configOf(folder: string): string {
  const schema = (name: string) => `include /etc/ldap/schema/${name}.schema`
  return [
    ...['core', 'cosine', 'inetorgperson'].map(schema),
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    'moduleload memberof',
    `pidfile ${folder}/slapd.pid`,
    `TLSCACertificateFile ${TLS}/ca.pem`,
    `TLSCertificateFile ${TLS}/server.pem`,
    `TLSCertificateKeyFile ${TLS}/server-key.pem`,
    'database mdb',
    `suffix ${SUFFIX}`,
    `directory ${folder}/data`,
    `rootdn ${ROOT.dn}`,
    `rootpw ${ROOT.password}`,
    'index uid,entryUUID,objectClass,member eq',
    'access to attrs=userPassword by anonymous auth by * none',
    `access to * by dn.exact="${SERVICE.dn}" read by * none`,
    'overlay memberof',
    '',
  ].join('\n')
}

async function keep(
  t: Test,
  { config, plain, secure }: { config: string; plain: number; secure: number },
): Promise<Slapd> {
  const urls = { ldap: `ldap://127.0.0.1:${plain}`, ldaps: `ldaps://127.0.0.1:${secure}` }
  let child: ReturnType<typeof startChild> | undefined
  const slapd: Slapd = {
    ...urls,
    async change(work) {
      const client = new Client({ url: urls.ldap, timeout: 5_000, connectTimeout: 5_000 })
      try {
        await client.bind(ROOT.dn, ROOT.password)
        return await work(client)
      } finally {
        await client.unbind()
      }
    },
    signal(name) {
      child?.kill(name)
    },
    async kill() {
      const running = child
      child = undefined
      if (running === undefined) return
      const ended = new Promise(resolve => running.once('exit', resolve))
      running.kill('SIGKILL')
      await ended
    },
    async start() {
      // In the foreground, which -d asks for.
      const args = ['-d', '0', '-f', config, '-h', `${urls.ldap} ${urls.ldaps}`]
      child = startChild('slapd', args, { stdio: 'ignore' })
      await until(() => slapd.change(async () => true))
    },
  }
  t.teardown(() => slapd.kill())
  await slapd.start()
  return slapd
}
