// Whether a build of argon2 computes what RFC 9106 says, on this processor: `node argon2-self-test.ts MODULE`
// ends with 0 if it does.
import { createRequire } from 'node:module'
import process from 'node:process'
import type portable from 'argon2'

const bytes = (length: number, value: number) => Buffer.alloc(length, value)

/** RFC 9106 §5.3: Argon2id's test vector. */
const VECTOR = {
  password: bytes(32, 1),
  options: {
    raw: true,
    type: 2,
    version: 0x13,
    memoryCost: 32,
    timeCost: 3,
    parallelism: 4,
    hashLength: 32,
    salt: bytes(16, 2),
    secret: bytes(8, 3),
    associatedData: bytes(12, 4),
  },
  tag: '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659',
} as const

const [, , file = ''] = process.argv
const { hash }: Pick<typeof portable, 'hash'> = createRequire(import.meta.url)(file)
const tag = await hash(VECTOR.password, VECTOR.options)
process.exitCode = tag.toString('hex') === VECTOR.tag ? 0 : 1
