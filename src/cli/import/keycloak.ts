// A user of a realm that Keycloak exported.
import { toAdaptedBase64 } from '../../users/hashing/formats/adapted-base64.ts'
import { malformed, valueAt, type Fields } from './fields.ts'

/**
 * What a user's record says beside name, id and roles: the hash, and what keeps the user out. Keycloak
 * refuses a login with a password as long as an action is required of the user, or while the password is a
 * temporary one.
 */
export function keycloakFields(record: unknown): Fields {
  const credentials = valueAt(record, 'credentials') ?? []
  if (!Array.isArray(credentials)) throw malformed('credentials', 'not a list')
  const password: unknown = credentials.find(
    credential => valueAt(credential, 'type') === 'password',
  )
  return {
    passwordHash: password === undefined ? undefined : hashOf(password),
    ...keptOut(record, password),
  }
}

function keptOut(record: unknown, password: unknown): Pick<Fields, 'keptOutBy'> {
  const actions = valueAt(record, 'requiredActions') ?? []
  if (!Array.isArray(actions)) throw malformed('requiredActions', 'not a list')
  if (actions.length > 0) return { keptOutBy: 'requiredActions' }
  return valueAt(password, 'temporary') === true
    ? { keptOutBy: 'credentials.temporary' }
    : {}
}

/** Keycloak keeps two JSON texts per password; what they say is put into passlib's and argon2's own forms. */
function hashOf(credential: unknown): string {
  const [data, secret] = [
    parsed(credential, 'credentialData'),
    parsed(credential, 'secretData'),
  ]
  const bytes = (key: string) => Buffer.from(String(valueAt(secret, key)), 'base64')
  const salt = bytes('salt')
  const value = bytes('value')
  const [algorithm, iterations] = [
    valueAt(data, 'algorithm'),
    String(valueAt(data, 'hashIterations')),
  ]
  if (typeof algorithm !== 'string') {
    throw malformed('credentials.credentialData', 'names no algorithm')
  }
  if (algorithm === 'argon2') return argon2Of(data, { iterations, salt, value })
  return `$${algorithm}$${iterations}$${toAdaptedBase64(salt)}$${toAdaptedBase64(value)}`
}

function argon2Of(
  data: unknown,
  { iterations, salt, value }: { iterations: string; salt: Buffer; value: Buffer },
): string {
  const [type, version, memory, lanes] = ['type', 'version', 'memory', 'parallelism'].map(
    name => String([valueAt(data, `additionalParameters.${name}`)].flat()[0]),
  )
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  const cost = `m=${memory},t=${iterations},p=${lanes}`
  return [
    `$argon2${type}`,
    `v=${version === '1.0' ? 16 : 19}`,
    cost,
    text(salt),
    text(value),
  ].join('$')
}

function parsed(credential: unknown, key: string): unknown {
  try {
    return JSON.parse(String(valueAt(credential, key)))
  } catch {
    throw malformed(`credentials.${key}`, 'not JSON')
  }
}
