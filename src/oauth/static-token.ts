// Bearer tokens that are none of OAuth's: an operator makes one, and the configuration knows its hash.

/** What each begins with, so that it is told from an access token, and found where it leaked. */
export const STATIC_TOKEN_PREFIX = 'lks_'
