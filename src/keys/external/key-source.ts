// This folder reads keys that are kept outside the store: in the files of keys.directory, or in a PKCS#11
// token. It never decides when a key signs. The ring asks it for the keys and plans their instants.

/** The private half of a key: a text, or a function of the place that keeps it. */
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
  /** Its name there; of several new keys the last by name is the newest. */
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
   * Checks for changes at intervals from now on. After a failure it reports the error and keeps the keys that
   * it has.
   */
  watch(onFault: (error: unknown) => void): void
  /** Releases files, timers and processes. */
  close(): Promise<void>
}

/**
 * The signer failed or took too long. The caller answers 503; it proves nothing about the request.
 */
export class SignerUnavailable extends Error {
  override readonly name = 'SignerUnavailable'

  constructor(cause: unknown) {
    super('the signer is unavailable', { cause })
  }
}
