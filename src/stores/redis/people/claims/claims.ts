// Who has what only one account may have: a name, or a unique value of an attribute. Claims and accounts live
// in different hash slots, so no script holds both: what is wanted is claimed first, then the account is
// written. A claim whose account still hasn't got it after a while (its writer died) may be taken over.
import type { RedisAdapter } from '../../adapter.ts'
import { loadScript } from '../../scripts.ts'

export interface Claims {
  /** The tag that has it. */
  ownerOf(wanted: string): Promise<string | undefined>
  /** Whether another tag's account has it, or is just being written with it. Claims nothing. */
  isOthers(wanted: string, tag: string): Promise<boolean>
  /** Claims it; false when an account has it, or is just being written with it. */
  claim(wanted: string, tag: string): Promise<boolean>
  /** Gives it up if the tag has it. */
  release(wanted: string, tag: string): Promise<void>
  /** The same, unless the tag's account has it, or somebody claims it for the tag once more meanwhile. */
  giveUp(wanted: string, tag: string): Promise<void>
}

/** Where claims stand, and what they are checked against. */
export interface ClaimsOptions {
  /** Runs something on the hash that a claim stands in. */
  readonly at: <T>(wanted: string, work: (key: string) => Promise<T>) => Promise<T>
  /** Whether the tag has an account that has what was claimed. */
  readonly holds: (tag: string, wanted: string) => Promise<boolean>
}

/** Longer than a living writer takes from its claim to its account. */
const WRITER_MS = 10_000

/** Makes the claims. */
export function createClaims(
  { link, time, durably }: Pick<RedisAdapter, 'link' | 'time' | 'durably'>,
  { at, holds }: ClaimsOptions,
): Claims {
  // An account whose name got lost can't log in, and a lost value would be somebody else's.
  const claimScript = durably('people/claim')
  const lookScript = loadScript(link, 'people/claim-look')
  const releaseScript = loadScript(link, 'people/claim-release')

  async function claimFrom(
    wanted: string,
    tag: string,
    from: string,
  ): Promise<{ owner: string; ageMs: number }> {
    const [owner, age] = await at(wanted, key =>
      claimScript([key], [time(), wanted, tag, from]),
    )
    return { owner: String(owner), ageMs: Number(age) }
  }

  async function claim(wanted: string, tag: string): Promise<boolean> {
    const { owner, ageMs } = await claimFrom(wanted, tag, '')
    if (owner === tag) return true
    if (ageMs < WRITER_MS || (await holds(owner, wanted))) return false
    if ((await claimFrom(wanted, tag, owner)).owner !== tag) return false
    // Its writer may have been slow, not dead. It looks at the claim after writing, we look at its account
    // after claiming: one of the two sees the other.
    if (!(await holds(owner, wanted))) return true
    await claimFrom(wanted, owner, tag)
    return false
  }

  const read = (wanted: string) =>
    at(wanted, key => link.run(client => client.hget(key, wanted)))
  const release = (wanted: string, tag: string, found: string) =>
    at(wanted, key => releaseScript([key], [wanted, tag, found]))

  return {
    ownerOf: async wanted => ownerIn(await read(wanted)),
    async isOthers(wanted, tag) {
      const [owner, ageMs] = await at(wanted, key => lookScript([key], [time(), wanted]))
      if (owner === '' || owner === tag) return false
      return Number(ageMs) < WRITER_MS || holds(String(owner), wanted)
    },
    claim,
    release: async (wanted, tag) => {
      await release(wanted, tag, '')
    },
    async giveUp(wanted, tag) {
      // Before the account is looked at.
      const found = await read(wanted)
      if (found === null || (await holds(tag, wanted))) return
      await release(wanted, tag, found)
    },
  }
}

/** The tag in a claim; undefined when there is none. */
export function ownerIn(claim: string | null | undefined): string | undefined {
  return claim?.split(' ', 1)[0]
}
