// Documents that all servers share and replace as a whole (../store.ts has the rest).

/** Something that all servers share and replace as a whole. */
export interface Shared<Content extends Versioned> {
  /** What was saved last; version 0 and nothing when nothing was saved yet. */
  load(): Promise<Content>
  /**
   * Replaces it if its version still is `content.version`, which the save counts up by one. False: somebody
   * else was faster. Durable when it resolves.
   */
  save(content: Content): Promise<boolean>
}

export interface Versioned {
  /** Counts the saves; 0: nothing was ever saved. */
  readonly version: number
}
