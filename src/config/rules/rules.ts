// The rules between keys, which no schema can say.
import { BlockList, isIP } from 'node:net'
import type { Fault } from '../faults.ts'
import { formatDuration } from '../values/duration.ts'
import { guessableSecrets } from './guessable-secrets.ts'
import { originMeant } from './origins.ts'
import { isInTheClear } from './plain-http.ts'
import type { Config } from '../schema.ts'
import { checkClaims } from './claims.ts'
import { checkAttributes, checkLogin } from './attributes.ts'
import { checkClients } from './clients.ts'
import { checkCompat } from './compat.ts'
import { checkDirectories } from './directories/directories.ts'
import { checkNotify } from './notify.ts'
import { checkLifetimes, fault, repeated } from './shared.ts'
import { checkScim } from './scim.ts'
import { checkSelfService } from './self-service.ts'
import { checkStore } from './store-rules.ts'

/** Checks what no single key can tell; the schema has let the configuration through. */
export function checkRules(config: Config): Fault[] {
  return [
    checkIssuer,
    checkPorts,
    checkProxies,
    checkOrigins,
    checkStore,
    checkSecrets,
    checkTokens,
    checkStatus,
    checkKeys,
    checkPasswords,
    checkClaims,
    checkAttributes,
    checkLogin,
    checkDirectories,
    checkClients,
    checkCompat,
    checkScim,
    checkNotify,
    checkSelfService,
  ].flatMap(rule => rule(config))
}

function checkIssuer({ issuer, allowHttp }: Config): Fault[] {
  const url = URL.parse(issuer)
  if (url === null || url.username !== '' || url.password !== '') {
    return [fault(['issuer'], 'a URL without user and password')]
  }
  if (allowHttp || !isInTheClear(issuer)) return []
  return [
    fault(
      ['issuer'],
      'an https URL (http only on loopback; for trying out elsewhere, allowHttp: true)',
    ),
  ]
}

function checkPorts({ http, management }: Config): Fault[] {
  if (http.port === 0 || http.port !== management.port) return []
  return [fault(['management', 'port'], 'another port than http.port')]
}

function checkOrigins({ http }: Config): Fault[] {
  return http.cors.flatMap((origin, index) => {
    const meant = originMeant(origin)
    return meant === undefined ? [] : [fault(['http', 'cors', index], meant)]
  })
}

function checkProxies({ http }: Config): Fault[] {
  return http.trustedProxies.flatMap((range, index) =>
    isRange(range)
      ? []
      : [
          fault(
            ['http', 'trustedProxies', index],
            'an address or CIDR such as 10.0.1.0/28',
          ),
        ],
  )
}

function isRange(text: string): boolean {
  const [address = '', bits] = text.split('/', 2)
  const family = isIP(address)
  if (family === 0) return false
  if (bits === undefined) return true
  return (
    /^\d{1,3}$/.test(bits) &&
    `${address}/${bits}` === text &&
    takesSubnet(address, Number(bits), family)
  )
}

function takesSubnet(address: string, bits: number, family: number): boolean {
  try {
    new BlockList().addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}

function checkSecrets({ secrets, clients }: Config): Fault[] {
  return [
    // One secret may be written in base64 and in base64url.
    ...repeated(secrets.map(bytesOf)).map(index =>
      fault(['secrets', index], 'another secret than those before it'),
    ),
    ...clients.flatMap((client, number) =>
      repeated(client.secrets).map(index =>
        fault(
          ['clients', number, 'secrets', index],
          'another secret than the one before it',
        ),
      ),
    ),
    ...clients.flatMap((client, number) =>
      guessableSecrets(client).map(index =>
        fault(
          ['clients', number, 'secrets', index],
          `a secret of the client ${client.id} that nobody guesses: this hash is that of a common one ` +
            '(`latchkey clients secret` makes a secret and its line)',
        ),
      ),
    ),
  ]
}

function bytesOf(secret: string): string {
  return Buffer.from(secret, 'base64url').toString('hex')
}

function checkTokens({ tokens }: Config): Fault[] {
  return [
    ...(tokens.reuseGrace < 1000 ? [fault(['tokens', 'reuseGrace'], 'at least 1s')] : []),
    ...checkLifetimes(['tokens'], tokens),
  ]
}

function checkStatus({ status }: Config): Fault[] {
  return status.ttl < 1000
    ? [fault(['status', 'ttl'], 'at least 1s')]
    : status.ttl > STATUS_TTL_MOST
      ? [fault(['status', 'ttl'], 'at most 5m')]
      : []
}

// A list claims to be good for 15 minutes after it was read from the store.
const STATUS_TTL_MOST = 300_000
// The slowest verifiers known fetch the keys once a day, and don't ask again when they meet a key that they
// don't know.
const PUBLISH_AHEAD_LEAST = 48 * 3_600_000

function checkKeys({ keys }: Config): Fault[] {
  const { publishAhead, rotateEvery, allowShortPublishAhead, directory, pkcs11 } = keys
  return [
    ...(publishAhead > rotateEvery
      ? [
          fault(
            ['keys', 'publishAhead'],
            `at most keys.rotateEvery (${formatDuration(rotateEvery)})`,
          ),
        ]
      : []),
    ...(publishAhead < PUBLISH_AHEAD_LEAST && !allowShortPublishAhead
      ? [
          fault(
            ['keys', 'publishAhead'],
            'at least 48h, or keys.allowShortPublishAhead: true',
          ),
        ]
      : []),
    ...(directory !== undefined && pkcs11 !== undefined
      ? [fault(['keys', 'pkcs11'], 'no keys.directory beside it')]
      : []),
  ]
}

// RFC 9106 §3.1.
function checkPasswords({ passwords: { memoryKiB, parallelism } }: Config): Fault[] {
  return memoryKiB >= 8 * parallelism
    ? []
    : [
        fault(
          ['passwords', 'memoryKiB'],
          `at least 8 times passwords.parallelism (${8 * parallelism})`,
        ),
      ]
}
