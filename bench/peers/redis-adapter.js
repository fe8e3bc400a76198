// oidc-provider's storage on Redis, with the commands that its own example of an adapter uses: what can be
// consumed is a hash, the rest a text, and each grant has a list of what goes with it.
import { redis } from './common.js'

const CONSUMABLE = new Set([
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'DeviceCode',
  'RefreshToken',
])
const GRANTABLE = new Set([...CONSUMABLE, 'AccessToken'])

const listOf = grantId => `grant:${grantId}`

/** One for each of its models; the methods are those that oidc-provider calls. */
export class RedisAdapter {
  #model

  constructor(model) {
    this.#model = model
  }

  #key(id) {
    return `${this.#model}:${id}`
  }

  async upsert(id, payload, expiresIn) {
    const key = this.#key(id)
    const text = JSON.stringify(payload)
    const batch = redis.multi()
    if (CONSUMABLE.has(this.#model)) batch.hset(key, 'payload', text)
    else batch.set(key, text)
    if (expiresIn) batch.expire(key, expiresIn)
    if (GRANTABLE.has(this.#model) && payload.grantId) {
      const list = listOf(payload.grantId)
      batch.rpush(list, key)
      // As long as the last of its entries: set at first, then only prolonged.
      batch.expire(list, expiresIn, 'NX')
      batch.expire(list, expiresIn, 'GT')
    }
    await batch.exec()
  }

  async find(id) {
    if (!CONSUMABLE.has(this.#model)) {
      const text = await redis.get(this.#key(id))
      return text === null ? undefined : JSON.parse(text)
    }
    const { payload, consumed } = await redis.hgetall(this.#key(id))
    if (payload === undefined) return undefined
    return { ...JSON.parse(payload), ...(consumed && { consumed: Number(consumed) }) }
  }

  async consume(id) {
    await redis.hset(this.#key(id), 'consumed', Math.floor(Date.now() / 1000))
  }

  async destroy(id) {
    await redis.del(this.#key(id))
  }

  async revokeByGrantId(grantId) {
    const list = listOf(grantId)
    const keys = await redis.lrange(list, 0, -1)
    await redis.del(list, ...keys)
  }
}
