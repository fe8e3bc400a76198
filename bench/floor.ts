// The floors: the least that each endpoint could be made of, on bare Fastify, in a process of its own.
// No validation, no client, no log, no metrics, no headers of its own, no error handling: nobody could serve
// less.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { parse } from 'node:querystring'
import fastify from 'fastify'
import { createSigner, createVerifier } from 'fast-jwt'
import { Redis } from 'ioredis'
import { argon2 } from '../src/users/hashing/argon2.ts'

/** How the process is started: its one argument, as JSON. */
export interface FloorOptions {
  readonly port: number
  readonly redisPort: number
  /** The very document that Latchkey publishes. */
  readonly jwks: unknown
  readonly hashing: {
    readonly memoryKiB: number
    readonly passes: number
    readonly parallelism: number
  }
}

/** Asks for so many password hashes, so many at a time; answered when they are done. */
export interface HashJob {
  readonly hashes: number
  readonly concurrency: number
}

const { port, redisPort, jwks, hashing }: FloorOptions = JSON.parse(
  String(process.argv[2]),
)

// One key is read and written, one text comes back.
const STEP = `local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000)
return before`
// What a limit has to do.
const COUNT = `local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], 60000) end
return count`

const redis = new Redis({ host: '127.0.0.1', port: redisPort })
const [step, count] = await Promise.all(
  [STEP, COUNT].map(async lua => String(await redis.script('LOAD', lua))),
)
const record = randomBytes(100).toString('base64url')

const { privateKey, publicKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const sign = createSigner({ key: privateKey, algorithm: 'ES256', kid: 'floor' })
const verify = createVerifier({ key: publicKey, algorithms: ['ES256'], cache: false })
const claims = {
  iss: `http://127.0.0.1:${port}`,
  sub: randomUUID(),
  aud: 'https://orders.example.com',
  client_id: 'mobile',
  jti: randomUUID(),
  sid: randomBytes(16).toString('base64url'),
  scope: 'profile orders:read',
  roles: ['buyer'],
}
const refreshToken = randomBytes(54).toString('base64url')

const app = fastify()
app.addContentTypeParser(
  'application/x-www-form-urlencoded',
  { parseAs: 'string' },
  (_request, body, done) => {
    done(null, parse(String(body)))
  },
)

async function pair() {
  await redis.evalsha(String(step), 1, 'floor:family', record)
  const iat = Math.floor(Date.now() / 1000)
  return {
    access_token: sign({ ...claims, iat, exp: iat + 600 }),
    token_type: 'Bearer',
    expires_in: 600,
    refresh_token: refreshToken,
    scope: claims.scope,
  }
}

app.post('/token', pair)
app.post('/limited/token', async () => {
  await redis.evalsha(String(count), 1, 'floor:count')
  return pair()
})
async function introspection() {
  await redis.evalsha(String(step), 1, 'floor:family', record)
  return { active: true, ...claims }
}

app.post('/introspect', introspection)
app.post('/verified/token', pair)
app.post<{ Body: { token: string } }>('/verified/introspect', async ({ body }) => {
  verify(body.token)
  return introspection()
})
app.get('/.well-known/jwks.json', async () => jwks)

await app.listen({ host: '127.0.0.1', port })

process.on('message', async (job: HashJob | string) => {
  if (typeof job === 'string') return
  const hash = await hashOnce()
  const started = performance.now()
  let left = job.hashes
  await Promise.all(
    Array.from({ length: job.concurrency }, async () => {
      while (left-- > 0) await argon2.verify(hash, 'not the password')
    }),
  )
  process.send?.((performance.now() - started) / 1000)
})
process.once('SIGTERM', () => {
  process.exit(0)
})

function hashOnce(): Promise<string> {
  return argon2.hash('the password', {
    type: argon2.argon2id,
    memoryCost: hashing.memoryKiB,
    timeCost: hashing.passes,
    parallelism: hashing.parallelism,
  })
}
