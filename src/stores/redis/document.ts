// What servers share and replace as a whole, in Redis: one hash each, replaced when its version is the expected one.
import type { Shared, Versioned } from '../ports-keys.ts'
import type { RedisAdapter } from './adapter.ts'
import { loadScript } from './scripts.ts'

/** The document under that key; `empty` stands for one that was never saved. */
export function createRedisDocument<Content extends Versioned> ({ link }: RedisAdapter, key: string, empty: Content): Shared<Content> {
  const saveScript = loadScript(link, 'document-save')

  return {
    load: async () => documentOf(await link.run(client => client.hgetall(key)), empty),
    async save ({ version, ...content }) {
      const [saved] = await saveScript([key], [version, JSON.stringify(content)])
      return saved === 1
    },
  }
}

function documentOf<Content extends Versioned> (fields: Readonly<Record<string, string>>, empty: Content): Content {
  const { version, content } = fields
  return version === undefined || content === undefined ? empty : { ...empty, ...JSON.parse(content), version: Number(version) }
}
