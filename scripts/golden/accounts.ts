// The accounts of a golden dump: some added by the command line, others imported with hashes of many kinds.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GoldenAccount } from '../../test/support/golden.ts'
import { PASSWORD, type SceneOptions } from './clients.ts'

/** Adds and imports accounts; gives those that log in. */
export async function addAccounts({
  release,
  folder,
}: Pick<SceneOptions, 'release' | 'folder'>): Promise<GoldenAccount[]> {
  const added = (name: string, more: Partial<GoldenAccount> = {}) => ({
    name,
    password: PASSWORD,
    sub: '',
    scopes: null,
    roles: [],
    ...more,
  })
  const own = [
    added('alice', { roles: ['buyer'] }),
    added('bea', { scopes: ['profile', 'orders:read'], roles: ['support', 'admin'] }),
    added('carl', { scopes: ['orders:write'] }),
    added('Zoë.Ångström'),
    added('guessed'),
  ]
  for (const { name, scopes, roles } of [...own, added('disabled'), added('removed')]) {
    const access = scopes === null ? ['--any-scope'] : ['--scopes', scopes.join(' ')]
    await release.cli(
      ['users', 'add', name, ...access, '--roles', roles.join(' ')],
      `${PASSWORD}\n`,
    )
  }
  const imported = importedAccounts(folder)
  const lines = imported.map(({ passwordHash, name, sub, roles }) =>
    JSON.stringify({ name, passwordHash, sub, roles }),
  )
  await release.cli(['users', 'import', '-'], `${lines.join('\n')}\n`)
  const listed = (await release.cli(['users', 'list', '--json']))
    .split('\n')
    .filter(Boolean)
  const subs = new Map<string, string>(
    listed.map(line => JSON.parse(line)).map(({ name, sub }) => [name, sub]),
  )
  return [...own, ...imported.map(({ passwordHash, ...account }) => account)]
    .map(account => ({ ...account, sub: String(subs.get(account.name)) }))
    .filter(({ name }) => name !== 'guessed')
}

/** One for each kind of hash that the release's own tests know. */
function importedAccounts(
  folder: string,
): Array<GoldenAccount & { passwordHash: string }> {
  return readFileSync(join(folder, 'test', 'users', 'hashes.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
    .map(({ name, password, hash }, index) => ({
      name: `from-${name.replaceAll(/[^a-z0-9]+/g, '-')}`,
      password,
      passwordHash: hash,
      sub: `legacy-${index}`,
      scopes: null,
      roles: ['moved-in'],
    }))
}
