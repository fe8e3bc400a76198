// The rules of `directories` and `directory`.
import type { Fault } from '../../faults.ts'
import type { Config } from '../../schema.ts'
import { ldapExpectations, type Expectation } from './ldap.ts'
import { isInTheClear } from '../plain-http.ts'
import { fault, repeated } from '../shared.ts'
import { sqlExpectations } from './sql.ts'

type Directory = Config['directories'][number]

/** The keys that only some types have; those with a default are as they are in all. */
const KEYS: Readonly<Record<Directory['type'], readonly (keyof Directory)[]>> = {
  http: ['lookupUrl', 'secrets'],
  ldap: [
    'password',
    'passwordFile',
    'caFile',
    'serverName',
    'bindDn',
    'base',
    'filter',
    'groups',
  ],
  sql: ['query', 'lookup', 'password', 'passwordFile', 'caFile', 'pepper'],
}

/** Checks `directories`. */
export function checkDirectories(config: Config): Fault[] {
  const { directories } = config
  return [
    ...repeated(directories.map(({ name }) => name)).map(index =>
      fault(['directories', index, 'name'], 'another name than those before it'),
    ),
    ...directories.flatMap((directory, index) =>
      expectationsOf(directory, config).flatMap(([place, expected]) =>
        expected === undefined ? [] : [fault(['directories', index, ...place], expected)],
      ),
    ),
  ]
}

function expectationsOf(directory: Directory, config: Config): Expectation[] {
  const { type } = directory
  const own = KEYS[type]
  const strange = [...new Set(Object.values(KEYS).flat())].filter(
    key => !own.includes(key) && directory[key] !== undefined,
  )
  return [
    ...strange.map((key): Expectation => [[key], `no such key with type ${type}`]),
    ...OF_TYPE[type](directory, config),
  ]
}

const OF_TYPE: Readonly<
  Record<Directory['type'], (directory: Directory, config: Config) => Expectation[]>
> = { http: httpExpectations, ldap: ldapExpectations, sql: sqlExpectations }

function httpExpectations(
  { url, lookupUrl, secrets }: Directory,
  config: Config,
): Expectation[] {
  const missing = secrets === undefined ? 'one or two secrets that sign' : undefined
  return [
    [['url'], urlExpected(url, config)],
    [['lookupUrl'], urlExpected(lookupUrl, config)],
    [['secrets'], missing],
  ]
}

function urlExpected(
  url: string | undefined,
  { allowHttp }: Pick<Config, 'allowHttp'>,
): string | undefined {
  if (url === undefined) return undefined
  const parsed = URL.parse(url)
  if (parsed === null || parsed.username !== '' || parsed.password !== '') {
    return 'a URL without user and password'
  }
  if (!url.startsWith('http')) return 'an https URL with type http'
  return allowHttp || !isInTheClear(url)
    ? undefined
    : 'an https URL: passwords are sent there (http on loopback only, or with allowHttp)'
}
