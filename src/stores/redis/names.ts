// Who has which name. Names and accounts live in different hash slots, so no script holds both: a name is claimed first,
// then the account is written. A claim whose account is missing (its writer died) may be taken over.
import type { RedisAdapter } from './adapter.ts'
import { loadScript, reaching } from './scripts.ts'

export interface Names {
  /** The tag that has the name. */
  ownerOf (foldedName: string): Promise<string | undefined>
  /** Claims the name; false when an account has it. */
  claim (foldedName: string, tag: string): Promise<boolean>
  /** Gives the name up if the tag has it. */
  release (foldedName: string, tag: string): Promise<void>
}

/** `holds` answers whether the tag has an account of that name. */
export function createNames ({ client, keys }: RedisAdapter, holds: (tag: string, foldedName: string) => Promise<boolean>): Names {
  const claimScript = loadScript(client, 'name-claim')
  const releaseScript = loadScript(client, 'name-release')

  async function claimFrom (foldedName: string, tag: string, from: string): Promise<string> {
    const [owner] = await claimScript([keys.names], [foldedName, tag, from])
    return String(owner)
  }

  async function claim (foldedName: string, tag: string): Promise<boolean> {
    const owner = await claimFrom(foldedName, tag, '')
    if (owner === tag) return true
    if (await holds(owner, foldedName)) return false
    if (await claimFrom(foldedName, tag, owner) !== tag) return false
    // Its writer may have been slow, not dead. It looks at the claim after writing, we look at its account after claiming:
    // one of the two sees the other.
    if (!await holds(owner, foldedName)) return true
    await claimFrom(foldedName, owner, tag)
    return false
  }

  return {
    ownerOf: async foldedName => await reaching(() => client.hget(keys.names, foldedName)) ?? undefined,
    claim,
    release: async (foldedName, tag) => { await releaseScript([keys.names], [foldedName, tag]) },
  }
}
