// The name of every key. All keys of one user share the hash slot of `{tag}`, so one script can hold them together.
import type { AccessTokenRef, FamilyRef } from '../ports.ts'

/** Makes the names under a prefix. */
export interface RedisKeys {
  /** Hash: the account. */
  user (tag: string): string
  /** Packed record: the family. */
  family (ref: FamilyRef): string
  /** Pattern: all families of a user. */
  families (tag: string): string
  /** The family of a key that the pattern found. */
  refOf (tag: string, key: string): FamilyRef
  /** Mark: a revoked access token. */
  revocation (token: AccessTokenRef): string
  /** Mark: an id that was used. */
  replay (id: string): string
  /** Packed counts of failed logins, and the mark of a repeated one: all in one slot, as one try touches several. */
  login (kind: 'pair' | 'network' | 'password' | 'repeat', id: string): string
  /** Number: the requests of an address in its window; all in one slot, as one step counts for many. */
  rate (address: string): string
  /** Hash: folded name → claim (names.ts). */
  readonly names: string
  /** Hash: the key ring. */
  readonly ring: string
  /** Hash: what was seen of verifiers. */
  readonly sightings: string
  /** Mark: the store takes writes. */
  readonly probe: string
  /** Text: the store's epoch; several, so that in a cluster each master has some. */
  epoch (index: number): string
  /** Mark: the store has lost its data, and nobody has accepted it yet. */
  readonly lost: string
}

export function createRedisKeys (prefix: string): RedisKeys {
  const family = ({ userTag, sid }: FamilyRef) => `${prefix}{${userTag}}:f:${sid}`
  return {
    family,
    user: tag => `${prefix}{${tag}}:u`,
    families: tag => `${`${prefix}{${tag}}`.replaceAll(/[*?[\]\\]/g, '\\$&')}:f:*`,
    refOf: (userTag, key) => ({ userTag, sid: key.slice(family({ userTag, sid: '' }).length) }),
    revocation: ({ userTag, jti }) => `${prefix}{${userTag}}:r:${jti}`,
    replay: id => `${prefix}o:${id}`,
    login: (kind, id) => `${prefix}{login}:${kind.slice(0, 2)}:${id}`,
    rate: address => `${prefix}{rate}:${address}`,
    names: `${prefix}names`,
    ring: `${prefix}keys`,
    sightings: `${prefix}sightings`,
    probe: `${prefix}probe`,
    epoch: index => `${prefix}epoch:${index}`,
    lost: `${prefix}lost`,
  }
}
