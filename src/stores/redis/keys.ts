// The key ring in Redis: one hash, replaced when its version is the expected one.
import type { Keys, StoredKey, StoredRing } from '../ports.ts'
import type { RedisAdapter } from './adapter.ts'
import { loadScript, reaching } from './scripts.ts'

export function createRedisSigningKeys ({ client, keys }: RedisAdapter): Keys {
  const saveScript = loadScript(client, 'ring-save')

  return {
    load: () => reaching(async () => ringOf(await client.hgetall(keys.ring))),
    save: async ring => {
      const [saved] = await saveScript([keys.ring], [ring.version, JSON.stringify(ring.keys)])
      return saved === 1
    },
  }
}

function ringOf (fields: Readonly<Record<string, string>>): StoredRing {
  const keys: readonly StoredKey[] = JSON.parse(fields['keys'] ?? '[]')
  return { version: Number(fields['version'] ?? 0), keys }
}
