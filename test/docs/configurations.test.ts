// Every piece of configuration in our pages is one that the loader takes, and every JSON is JSON.
import t from 'tap'
import { parse } from 'yaml'
import { decodeConfig, parseConfig } from '../../src/config/load.ts'
import { sha256Line } from '../support/app.ts'
import { allBlocks, fileOf, type Block } from './support/blocks.ts'
import { isConfiguration, notRun } from './support/not-run.ts'

const SIGNING = `whsec_${Buffer.alloc(32, 'w').toString('base64')}`
const HASH = sha256Line('a secret of a client that nobody guesses')

/** What a piece is put into. */
const WHOLE = {
  issuer: 'https://id.example.com',
  store: { url: 'sqlite:latchkey.db' },
  secrets: ['s'.repeat(43)],
  clients: [
    {
      id: 'web',
      grants: ['password', 'refresh_token'],
      audience: ['https://orders.example.com'],
    },
  ],
  attributes: { tenant: { type: 'string' } },
  notify: { webhook: { url: 'https://app.example.com/hook', secrets: [SIGNING] } },
}

const LDAP = {
  name: 'staff',
  type: 'ldap',
  url: 'ldaps://ldap.example.com',
  bindDn: 'cn=latchkey,dc=example,dc=org',
  passwordFile: '/run/secrets/ldap-password',
  base: 'dc=example,dc=org',
  filter: '(uid={name})',
}

// What a reader puts in.
const ENVIRONMENT: Record<string, string> = {
  LATCHKEY_SECRET: 's'.repeat(43),
  LATCHKEY_STORE: 'sqlite:latchkey.db',
  REDIS_PASSWORD: 'a-password-of-redis',
  SITE_SECRET_HASH: HASH,
  REPORTS_SECRET_HASH: HASH,
  APP_DIRECTORY_SECRET: SIGNING,
}

/** A piece of YAML as a whole configuration. */
function completed({ code }: Block): object {
  const text = code
    .replaceAll('sha256:…', HASH)
    .replaceAll(/\$\{file:[^}]*\}/g, SIGNING)
    .replaceAll(/\$\{(\w+)\}/g, (all, name: string) => ENVIRONMENT[name] ?? all)
  const piece = parse(text)
  const isEntry = 'url' in piece || 'groups' in piece
  return isEntry
    ? { ...WHOLE, directories: [{ ...LDAP, ...piece }] }
    : { ...WHOLE, ...piece }
}

t.test('every configuration in the pages is taken', async t => {
  const pieces = allBlocks().filter(
    block => isConfiguration(block) && notRun(block) === undefined,
  )
  t.ok(pieces.length > 15)
  for (const piece of pieces) {
    t.doesNotThrow(() => decodeConfig(completed(piece)), `${piece.page}:${piece.line}`)
  }
})

t.test('every configuration file in the pages is taken as it stands', async t => {
  const files = allBlocks().filter(block => fileOf(block)?.name === 'latchkey.yaml')
  t.ok(files.length > 5)
  const before = new Map<string, string>()
  for (const file of files) {
    const { page, code } = file
    const text = fileOf(file)?.isAdded === true ? `${before.get(page)}${code}` : code
    before.set(page, text)
    t.doesNotThrow(() => parseConfig(text, ENVIRONMENT), `${page}:${file.line}`)
  }
})

t.test('every JSON in the pages is JSON', async t => {
  const texts = allBlocks().filter(({ language }) => language === 'json')
  t.ok(texts.length > 0)
  for (const { page, line, code } of texts) {
    t.doesNotThrow(() => JSON.parse(code), `${page}:${line}`)
  }
})
