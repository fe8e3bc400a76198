// The rules of a directory that is an LDAP server.
import { readTemplate } from '../../../users/directory/ldap/filter.ts'
import type { Config } from '../../schema.ts'
import type { Place } from '../../faults.ts'
import { oneHostExpected } from './sql-server.ts'

type Directory = Config['directories'][number]

/** A place below the directory, and what is expected there; undefined: it is right. */
export type Expectation = readonly [place: Place, expected: string | undefined]

/** Says what is expected of such a directory. */
export function ldapExpectations(directory: Directory): Expectation[] {
  const { base, filter, groups, password, passwordFile, bindDn } = directory
  const hasPassword = password !== undefined || passwordFile !== undefined
  return [
    [['url'], oneHostExpected(directory.url) ?? urlExpected(directory)],
    [['base'], base === undefined ? 'the DN below which users are searched' : undefined],
    [['filter'], templateExpected(filter ?? '', '{name}')],
    [['bindDn'], bindDn === undefined && hasPassword ? 'a DN with password' : undefined],
    [
      ['password'],
      bindDn !== undefined && !hasPassword
        ? 'password or passwordFile with bindDn'
        : undefined,
    ],
    [
      ['passwordFile'],
      password !== undefined && passwordFile !== undefined
        ? 'no password beside it'
        : undefined,
    ],
    [
      ['groups', 'filter'],
      groups === undefined ? undefined : templateExpected(groups.filter, '{dn}'),
    ],
    [
      ['groups'],
      groups !== undefined && groups.attribute === undefined && groups.base === undefined
        ? 'an attribute or a base'
        : undefined,
    ],
  ]
}

function templateExpected(text: string, place: string): string | undefined {
  const template = readTemplate(text, place)
  return typeof template === 'string' ? template : undefined
}

/** TLS in any case, but where the operator says that it shall be without. */
function urlExpected({ url, plaintext }: Directory): string | undefined {
  const parsed = URL.parse(url)
  const isWhole =
    parsed !== null &&
    /^ldaps?:$/.test(parsed.protocol) &&
    parsed.hostname !== '' &&
    parsed.username === '' &&
    parsed.password === '' &&
    ['', '/'].includes(parsed.pathname) &&
    parsed.search === ''
  if (!isWhole) return 'ldaps://HOST or ldap://HOST (StartTLS), with type ldap'
  return plaintext && parsed.protocol === 'ldaps:'
    ? 'an ldap URL with plaintext: true'
    : undefined
}
