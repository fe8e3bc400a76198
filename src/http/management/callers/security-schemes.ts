// How the OpenAPI documents of the management listener say who may ask: a client with a token of its own, or
// whoever bears another token that is taken there.

/** What differs between the documents. */
export interface SecuritySchemesOptions {
  /** Who gives tokens. */
  readonly issuer: string
  /** Scope → what it lets a client do. */
  readonly scopes: Readonly<Record<string, string>>
  /** Which other tokens are taken. */
  readonly bearer: { readonly description: string; readonly bearerFormat?: string }
}

/** The security schemes `machine` and `bearer` of OpenAPI 3.1 (§4.8.27). */
export function securitySchemesOf({ issuer, scopes, bearer }: SecuritySchemesOptions) {
  return {
    machine: {
      type: 'oauth2',
      description: "A client's own token.",
      flows: { clientCredentials: { tokenUrl: `${issuer}/token`, scopes } },
    },
    bearer: { type: 'http', scheme: 'bearer', ...bearer },
  } as const
}
