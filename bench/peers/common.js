// What the peers have in common: where they are, their Redis, a user whose password is hashed, a key.
import {
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'

/** The one argument of the process (PeerOptions in bench/peers.ts). */
export const options = JSON.parse(process.argv[2])
export const { port, client, scope, audience } = options
export const issuer = `http://127.0.0.1:${port}`
export const redis = new Redis(options.redisUrl)

export const ACCESS_SECONDS = 600
export const REFRESH_SECONDS = 14 * 86_400

export const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const kid = randomUUID()

const HASH_BYTES = 32
const derive = promisify(scrypt)
const userKey = id => `user:${id}`

async function addUser() {
  const salt = randomBytes(16).toString('base64url')
  const hash = await derive(options.password, salt, HASH_BYTES)
  const user = {
    id: randomUUID(),
    name: options.user,
    salt,
    hash: hash.toString('base64url'),
  }
  await redis.mset(userKey(user.id), JSON.stringify(user), `id:${user.name}`, user.id)
}

/** The user with that id. */
export async function userById(id) {
  const text = await redis.get(userKey(id))
  return text === null ? undefined : JSON.parse(text)
}

/** The user with that name, if the password is theirs. */
export async function userByPassword(name, password) {
  const id = await redis.get(`id:${name}`)
  const user = id === null ? undefined : await userById(id)
  if (user === undefined) return undefined
  const hash = await derive(password, user.salt, HASH_BYTES)
  return timingSafeEqual(hash, Buffer.from(user.hash, 'base64url')) ? user : undefined
}

await addUser()
process.once('SIGTERM', () => {
  process.exit(0)
})
