// What this server says of itself (RFC 7643 §5, RFC 9865 §4).

/** So many resources a page has at the most, and where nothing is asked for. */
export const MAX_RESULTS = 200
export const DEFAULT_RESULTS = 100

/** The document of /ServiceProviderConfig. */
export const SERVICE_PROVIDER_CONFIG = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
  patch: { supported: true },
  // Clients read the numbers where `supported` is false, too.
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: MAX_RESULTS },
  changePassword: { supported: true },
  sort: { supported: false },
  etag: { supported: true },
  pagination: {
    cursor: true,
    index: true,
    defaultPaginationMethod: 'index',
    defaultPageSize: DEFAULT_RESULTS,
    maxPageSize: MAX_RESULTS,
  },
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'OAuth bearer token',
      description:
        'An access token of this server with the scope scim or scim.read, or a token of scim.tokens.',
      specUri: 'https://www.rfc-editor.org/info/rfc6750',
      primary: true,
    },
  ],
}
