// Client secrets that anybody would try first. A hash says no more of its secret than whether it is one of
// these.
import { createHash } from 'node:crypto'
import type { ClientConfig } from '../schema.ts'

const COMMON = [
  '',
  '123456',
  '12345678',
  'admin',
  'change-me',
  'change_me',
  'changeit',
  'changeme',
  'client-secret',
  'client_secret',
  'clientsecret',
  'demo',
  'example',
  'foobar',
  'hunter2',
  'latchkey',
  'my-secret',
  'mysecret',
  'none',
  'null',
  'pass',
  'password',
  'secret',
  'secret123',
  'supersecret',
  'test',
  'topsecret',
  'undefined',
]

/** The places in `secrets` of a client whose hash is that of a common word, of its id or of both together. */
export function guessableSecrets({
  id,
  secrets,
}: Pick<ClientConfig, 'id' | 'secrets'>): number[] {
  if (secrets.length === 0) return []
  const guesses = new Set([...COMMON, ...variantsOf(id)].map(lineOf))
  return secrets.flatMap((line, index) => (guesses.has(line) ? [index] : []))
}

function variantsOf(id: string): string[] {
  return [
    id,
    ...['secret', 'password', '123'].flatMap(word =>
      ['', '-', '_', '.'].flatMap(sign => [`${id}${sign}${word}`, `${word}${sign}${id}`]),
    ),
  ]
}

function lineOf(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('base64url')}`
}
