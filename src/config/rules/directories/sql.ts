// The rules of a directory that is a table of users.
import { isIP } from 'node:net'
import { isLoopbackName } from '../../../base/loopback.ts'
import type { Config } from '../../schema.ts'
import type { Expectation } from './ldap.ts'
import {
  isWholeUrl,
  oneHostExpected,
  passwordFileExpected,
  plaintextExpected,
} from './sql-server.ts'

type Directory = Config['directories'][number]

/** Says what is expected of such a directory. */
export function sqlExpectations(directory: Directory): Expectation[] {
  const { query = '', lookup } = directory
  return [
    [['url'], oneHostExpected(directory.url) ?? sqlUrlExpected(directory)],
    [['query'], statementExpected(query, 2)],
    [['lookup'], lookup === undefined ? undefined : statementExpected(lookup, 1)],
    [['passwordFile'], passwordFileExpected(directory)],
    [['plaintext'], plaintextExpected(directory)],
  ]
}

function sqlUrlExpected(directory: Directory): string | undefined {
  const { url } = directory
  const parsed = URL.parse(url)
  const isWhole =
    parsed !== null &&
    /^(?:postgres(?:ql)?|mysql|mariadb):$/.test(parsed.protocol) &&
    isWholeUrl(parsed)
  if (!isWhole) {
    const urls = 'postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE'
    return `${urls}, with nothing behind it, with type sql`
  }
  return isNamelessMysql(parsed, directory)
    ? 'a host name in a mysql URL with TLS: the certificate is compared with it'
    : undefined
}

/** Whether the driver would compare the certificate with `localhost`, for want of a name. */
function isNamelessMysql(
  { protocol, hostname }: URL,
  { plaintext, caFile }: Directory,
): boolean {
  const usesTls = !plaintext && (caFile !== undefined || !isLoopbackName(hostname))
  return (
    /^(?:mysql|mariadb):$/.test(protocol) &&
    usesTls &&
    isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
  )
}

/** Why a statement can't be used; undefined: it can. `values`: how many parameters there may be. */
function statementExpected(text: string, values: number): string | undefined {
  const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number))
  const isQuery = /^\s*(?:select|with)\b/i.test(text)
  const known = numbers.every(number => number >= 1 && number <= values)
  if (
    isQuery &&
    numbers.length > 0 &&
    known &&
    !text.replace(/[\s;]+$/, '').includes(';')
  ) {
    return undefined
  }
  const parameters =
    values === 1 ? '$1, the id' : '$1, the name as typed, or $2, as names are compared'
  return `one SELECT with ${parameters}`
}
