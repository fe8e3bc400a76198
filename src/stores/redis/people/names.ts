// Who has which name. Names and accounts live in different hash slots, so no script holds both: a name is
// claimed first, then the account is written. A claim whose account is still missing after a while (its
// writer died) may be taken over.
import type { RedisAdapter } from '../adapter.ts'
import { loadScript } from '../scripts.ts'

export interface Names {
  /** The tag that has the name. */
  ownerOf(foldedName: string): Promise<string | undefined>
  /** Claims the name; false when an account has it, or is just being written under it. */
  claim(foldedName: string, tag: string): Promise<boolean>
  /** Gives the name up if the tag has it. */
  release(foldedName: string, tag: string): Promise<void>
}

/** Longer than a living writer takes from its claim to its account. */
const WRITER_MS = 10_000

/** `holds` answers whether the tag has an account of that name. */
export function createNames(
  { link, keys, time, durably }: RedisAdapter,
  holds: (tag: string, foldedName: string) => Promise<boolean>,
): Names {
  // An account whose name got lost can't log in.
  const claimScript = durably('people/name-claim')
  const releaseScript = loadScript(link, 'people/name-release')

  async function claimFrom(
    foldedName: string,
    tag: string,
    from: string,
  ): Promise<{ owner: string; ageMs: number }> {
    const [owner, age] = await claimScript([keys.names], [time(), foldedName, tag, from])
    return { owner: String(owner), ageMs: Number(age) }
  }

  async function claim(foldedName: string, tag: string): Promise<boolean> {
    const { owner, ageMs } = await claimFrom(foldedName, tag, '')
    if (owner === tag) return true
    if (ageMs < WRITER_MS || (await holds(owner, foldedName))) return false
    if ((await claimFrom(foldedName, tag, owner)).owner !== tag) return false
    // Its writer may have been slow, not dead. It looks at the claim after writing, we look at its account
    // after claiming: one of the two sees the other.
    if (!(await holds(owner, foldedName))) return true
    await claimFrom(foldedName, owner, tag)
    return false
  }

  return {
    ownerOf: async foldedName =>
      ownerIn(await link.run(client => client.hget(keys.names, foldedName))),
    claim,
    release: async (foldedName, tag) => {
      await releaseScript([keys.names], [foldedName, tag])
    },
  }
}

/** The tag in a claim; undefined when there is none. */
export function ownerIn(claim: string | null | undefined): string | undefined {
  return claim?.split(' ', 1)[0]
}
