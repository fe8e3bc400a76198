// What servers share and replace as a whole, in Redis: one hash each, replaced when its version is the
// expected one.
import type { Shared, Versioned } from '../ports/documents/shared.ts'
import type { RedisAdapter } from './adapter.ts'
import { loadScript } from './scripts.ts'

/** A document, and the way to put it back. */
export interface RedisDocument<Content extends Versioned> extends Shared<Content> {
  /** Saves it as it was read last, where none is any more. */
  restore(): Promise<void>
}

/** The document under that key; `empty` stands for one that was never saved. */
export function createRedisDocument<Content extends Versioned>(
  { bare, doubt }: RedisAdapter,
  key: string,
  empty: Content,
): RedisDocument<Content> {
  const saveScript = loadScript(bare, 'document-save')
  let last = empty

  const save = async ({ version, ...content }: Content) => {
    const [saved] = await saveScript([key], [version, JSON.stringify(content)])
    return saved === 1
  }

  return {
    save,
    async load() {
      const found = documentOf(await bare.run(client => client.hgetall(key)), empty)
      // Nobody must take for new what was lost.
      if (found.version === empty.version) await doubt()
      last = found
      return found
    },
    async restore() {
      if (last.version !== empty.version) await save({ ...last, version: empty.version })
    },
  }
}

function documentOf<Content extends Versioned>(
  fields: Readonly<Record<string, string>>,
  empty: Content,
): Content {
  const { version, content } = fields
  return version === undefined || content === undefined
    ? empty
    : { ...empty, ...JSON.parse(content), version: Number(version) }
}
