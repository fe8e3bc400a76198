// Refresh tokens as a later release may make them.
import { createHmac } from 'node:crypto'
import { deriveKeys } from '../../src/base/secrets.ts'

/** A token of that version whose tag is right; `length` in bytes. */
export function newerToken({
  secrets,
  version = 2,
  length = 54,
  issuer = 'https://id.example.com',
}: {
  readonly secrets: readonly string[]
  readonly version?: number
  readonly length?: number
  readonly issuer?: string
}): string {
  const [key] = deriveKeys(secrets, 'refresh-token')
  if (key === undefined) throw new TypeError('expected a secret')
  const fields = Buffer.alloc(length - 16, 7)
  fields.writeUInt8(version, 0)
  fields.writeUInt8(key.number, 1)
  const tag = createHmac('sha256', key.key).update(`${issuer}\0`).update(fields).digest()
  return `rt_${Buffer.concat([fields, tag.subarray(0, 16)]).toString('base64url')}`
}
