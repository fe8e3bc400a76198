// Keys that are kept elsewhere: in the files of keys.directory, or in a token behind PKCS#11. The ring only
// notes when they sign.

/** Where the private half of a key is: here, as text, or somewhere that signs when it is asked. */
export type Signing =
  | {
      /** PKCS#8 PEM. */
      readonly privateKey: string
    }
  | {
      /**
       * Signs bytes as the key's algorithm says (RFC 7518 §3), an ECDSA signature being R and S, one after
       * the other.
       *
       * @throws SignerUnavailable
       */
      readonly sign: (data: Buffer) => Promise<Buffer>
    }

/** A key of a source. */
export interface ExternalKey {
  /** What it is called there; of several new keys the last by name is the newest. */
  readonly name: string
  readonly kid: string
  readonly alg: string
  /** Public members only. */
  readonly publicJwk: Readonly<Record<string, string>>
  readonly signing: Signing
}

/** Where such keys are read. */
export interface KeySource {
  /** What is there now; the very same list until something changes. */
  keys(): readonly ExternalKey[]
  /**
   * From now on looks again and again whether something has changed; tells what keeps it from looking, and
   * keeps the keys of before.
   */
  watch(onFault: (error: unknown) => void): void
  /** Lets go of files, timers and threads. */
  close(): Promise<void>
}

/**
 * Whatever signs for us failed or took too long. The caller answers 503; nothing may be concluded from it.
 */
export class SignerUnavailable extends Error {
  override readonly name = 'SignerUnavailable'

  constructor(cause: unknown) {
    super('the signer is unavailable', { cause })
  }
}
