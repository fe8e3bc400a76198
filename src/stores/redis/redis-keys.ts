// The name of every key. All keys of one user share the hash slot of `{tag}`, so one script can hold them
// together.
import type { AccessTokenRef } from '../ports/access-tokens.ts'
import type { RefusedGroup } from '../ports/logins/refusals.ts'
import type { FamilyRef } from '../ports/families.ts'
import type { Queue } from '../ports/outbox.ts'

/** Makes the names under a prefix. */
export interface RedisKeys {
  /** Hash: the account. */
  user(tag: string): string
  /** Packed record: the family. */
  family(ref: FamilyRef): string
  /** Pattern: all families of a user. */
  families(tag: string): string
  /** Pattern: the family of that sid, whoever's it is. */
  familiesOf(sid: string): string
  /** The tag of the user in a key that this pattern found. */
  ownerIn(key: string, sid: string): string
  /** The family of a key that the pattern of a user found. */
  refOf(tag: string, key: string): FamilyRef
  /** Mark: a revoked access token. */
  revocation(token: AccessTokenRef): string
  /**
   * The living access tokens of a user that have a status. Hash: session and list → ends and indices; a
   * sorted set while earlier releases may use the store (scripts/shared.lua).
   */
  live(tag: string): string
  /** Hash: the ticket of a user for a purpose. */
  ticket(tag: string, purpose: string): string
  /** All of the status lists are in one slot: a step touches several. */
  readonly status: {
    /** Sorted set: the lists, by their ends. */
    readonly lists: string
    /** Hash: the list that an hour's blocks are leased from, and which of them are. */
    hour(hour: number): string
    /** Bitmap: the revoked tokens of a list. */
    bits(list: string): string
    /** Packed: the same in the order in which they were revoked. */
    log(list: string): string
    /** Packed: the blocks of a list that have an owner, in the order in which they were leased. */
    owners(list: string): string
  }
  /** The outbox is in one slot: a step touches several. */
  readonly outbox: {
    /** Hash: the items, by their ids. */
    readonly items: string
    /** Sorted set: the ids of a way's items, by when they are due. */
    due(way: Queue): string
    /** Sorted set: the same by when they were appended. */
    since(way: Queue): string
  }
  /** Mark: an id that was used. */
  replay(id: string): string
  /**
   * Packed counts of failed logins, and the mark of a repeated one: all in one slot, as one try touches
   * several.
   */
  login(kind: 'pair' | 'network' | 'password' | 'repeat', id: string): string
  /**
   * The record of refused logins, in one slot. Hash: the keyed hash of a name, or an account's tag → its
   * refusals; sorted set: these hashes by the last refusal.
   */
  refusals(group: RefusedGroup, what: 'names' | 'order'): string
  /** Number: the requests of an address in its window; all in one slot, as one step counts for many. */
  rate(address: string): string
  /** Hash: folded name → claim, up to format 3; a text in a store whose names are in shards (names.ts). */
  readonly names: string
  /** That hash, while its claims go to the shards; in its slot. */
  readonly leavingNames: string
  /** Hash: folded name → claim. */
  namesIn(shard: string): string
  /**
   * Hash: unique values of attributes → claim (claims.ts). Many hashes, so that none grows with the number of
   * accounts without bound.
   */
  values(shard: string): string
  /**
   * Sorted set: the entries of a shard of the index of accounts (people/index/entries.ts), by creation or by
   * text; both in one slot, as one step writes them.
   */
  accounts(order: 'created' | 'texts', shard: string): string
  /** Number, for a while after that index was looked through: how many names nobody had. */
  readonly indexWalked: string
  /** Hash: the key ring. */
  readonly ring: string
  /** Hash: what was seen of verifiers. */
  readonly sightings: string
  /** Hash: which secrets the running servers have. */
  readonly secretLists: string
  /** Hash: where the accounts are whose sessions these are. */
  readonly accountsHome: string
  /** Hash: the groups. */
  readonly groups: string
  /** Mark: the store takes writes. */
  readonly probe: string
  /** Hash: the store's format (format.ts). */
  readonly format: string
  /** Text: a mark of the store's identity; several, so that in a cluster each master has some. */
  identity(index: number): string
  /** Mark: the store has lost its data, and nobody has accepted it yet. */
  readonly lost: string
  /** Pattern: every key. */
  readonly every: string
  /** A key's name without what stands before every key, and the way back. */
  bareName(name: string): string
  fullName(bareName: string): string
}

export function createRedisKeys(prefix: string): RedisKeys {
  const family = ({ userTag, sid }: FamilyRef) => `${prefix}{${userTag}}:f:${sid}`
  return {
    family,
    user: tag => `${prefix}{${tag}}:u`,
    families: tag => `${escaped(`${prefix}{${tag}}`)}:f:*`,
    familiesOf: sid => `${escaped(prefix)}{*}:f:${escaped(sid)}`,
    ownerIn: (key, sid) => key.slice(`${prefix}{`.length, -`}:f:${sid}`.length),
    refOf: (userTag, key) => ({
      userTag,
      sid: key.slice(family({ userTag, sid: '' }).length),
    }),
    revocation: ({ userTag, jti }) => `${prefix}{${userTag}}:r:${jti}`,
    live: tag => `${prefix}{${tag}}:t`,
    ticket: (tag, purpose) => `${prefix}{${tag}}:k:${purpose}`,
    status: {
      lists: `${prefix}{status}:lists`,
      hour: hour => `${prefix}{status}:h:${hour}`,
      bits: list => `${prefix}{status}:b:${list}`,
      log: list => `${prefix}{status}:r:${list}`,
      owners: list => `${prefix}{status}:o:${list}`,
    },
    outbox: {
      items: `${prefix}{outbox}:items`,
      due: way => `${prefix}{outbox}:due:${way}`,
      since: way => `${prefix}{outbox}:since:${way}`,
    },
    replay: id => `${prefix}o:${id}`,
    login: (kind, id) => `${prefix}{login}:${kind.slice(0, 2)}:${id}`,
    refusals: (group, what) => `${prefix}{refusals}:${group}:${what}`,
    rate: address => `${prefix}{rate}:${address}`,
    names: `${prefix}names`,
    leavingNames: `${prefix}leaving{${prefix}names}`,
    namesIn: shard => `${prefix}names:${shard}`,
    values: shard => `${prefix}values:${shard}`,
    accounts: (order, shard) => `${prefix}{accounts:${shard}}:${order}`,
    indexWalked: `${prefix}accounts:walked`,
    ring: `${prefix}keys`,
    sightings: `${prefix}sightings`,
    secretLists: `${prefix}secret-lists`,
    accountsHome: `${prefix}accounts-home`,
    groups: `${prefix}groups`,
    probe: `${prefix}probe`,
    format: `${prefix}format`,
    identity: index => `${prefix}epoch:${index}`,
    lost: `${prefix}lost`,
    every: `${escaped(prefix)}*`,
    bareName: name => name.slice(prefix.length),
    fullName: bareName => prefix + bareName,
  }
}

/** For Redis' patterns. */
function escaped(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, '\\$&')
}
