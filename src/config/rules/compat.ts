// The rules of `compat`: old clients get no more than new ones may have.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { fault } from './shared.ts'

/** Paths of our own; what lies below them is ours, too. */
const OURS: ReadonlySet<string> = new Set([
  'token',
  'introspect',
  'revoke',
  'userinfo',
  'verify',
  'authorize',
  'status',
  'docs',
  'openapi.json',
  'realms',
  '.well-known',
])

/** Checks `compat`. */
export function checkCompat({ compat, clients }: Config): Fault[] {
  return [
    ...checkDefaultClient(compat, clients),
    ...Object.keys(compat.paths).flatMap(path =>
      OURS.has(path.slice(1).replace(/\/.*/, ''))
        ? [fault(['compat', 'paths', path], 'another path than those of Latchkey itself')]
        : [],
    ),
    ...checkDays(compat),
  ]
}

function checkDefaultClient(
  { defaultClient }: Config['compat'],
  clients: Config['clients'],
): Fault[] {
  if (defaultClient === undefined) return []
  const client = clients.find(({ id }) => id === defaultClient)
  const isPublic =
    client !== undefined &&
    client.secrets.length === 0 &&
    client.keys.length === 0 &&
    client.jwksUri === undefined
  return isPublic && client.grants.includes('password')
    ? []
    : [
        fault(
          ['compat', 'defaultClient'],
          'the id of a client in clients that has no secret and no key, with the grant password',
        ),
      ]
}

// RFC 9745 §4: what is deprecated does not end before it is deprecated.
function checkDays({ deprecation, sunset }: Config['compat']): Fault[] {
  const wrong = Object.entries({ deprecation, sunset }).flatMap(([key, day]) =>
    day === undefined || isDay(day)
      ? []
      : [fault(['compat', key], 'a day of the calendar')],
  )
  if (wrong.length > 0 || deprecation === undefined || sunset === undefined) return wrong
  return sunset < deprecation
    ? [fault(['compat', 'sunset'], `no day before compat.deprecation (${deprecation})`)]
    : []
}

function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day)
}
