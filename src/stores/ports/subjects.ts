// What sessions need to know of their user (store.ts has the rest). A subject lies beside the user's
// families, in one slot: a session is judged together with it, in one step.

/** What an attribute of an account may be; an instant is a text (RFC 3339). */
export type AttributeValue = SingleValue | readonly SingleValue[]

/** A value that is no list. */
export type SingleValue = string | number | boolean

/** Attributes by their names. One without a value is absent; `0`, `false` and `""` are values. */
export type Attributes = Readonly<Record<string, AttributeValue>>

/** What grants and introspection learn of a user, in the same round trip as the verdict. */
export interface User {
  readonly sub: string
  /** As the user writes it. */
  readonly name: string
  /** The scopes that the user may hold; null: whatever the client may ask for. */
  readonly scopes: readonly string[] | null
  readonly roles: readonly string[]
  /** What is known of the user, as the configuration declares it. */
  readonly attributes: Attributes
  /** Whether the user has proved to read what is sent to the attribute `email`. */
  readonly emailVerified: boolean
}

/** What a session is judged by, and what its tokens say. */
export interface Subject extends User {
  /** `userTag(sub)`. */
  readonly tag: string
  /** No session lives while this is true. */
  readonly disabled: boolean
  /**
   * Counts "end all sessions": families of an earlier epoch are dead. Starts at 1, or later after a removed
   * account of the same `sub`.
   */
  readonly sessionsEpoch: number
}

/**
 * The subjects. Each account has one; the directory makes and removes it (directory.ts). A call that names an
 * unknown tag changes nothing and resolves to false. Each call that ends sessions also sets the status bits
 * of their living tokens.
 */
export interface Subjects {
  byTag(tag: string): Promise<Subject | undefined>
  /** Disabling ends all sessions in the same step; enabling brings none back. Durable when it resolves. */
  setDisabled(tag: string, disabled: boolean): Promise<boolean>
  /** Sets what the user may hold from the next token on. */
  setAccess(tag: string, access: Pick<User, 'scopes' | 'roles'>): Promise<boolean>
  /** Ends every session of the user. Durable when it resolves. */
  endSessions(tag: string): Promise<boolean>
  /** Ends every session of the user but that one. Durable when it resolves. */
  endOtherSessions(tag: string, sid: string): Promise<boolean>
}
