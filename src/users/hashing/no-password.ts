/** In the place of a hash: of no form that a hash has, so that no password is right. */
export const NO_PASSWORD = '!'
