// Bearer tokens that the configuration knows by their hashes, for systems that can ask for none.
import { hash } from 'node:crypto'
import { STATIC_TOKEN_PREFIX } from '../../../oauth/static-token.ts'

/** A token of the configuration. */
export interface StaticToken {
  readonly name: string
  /** `sha256:` and 43 characters of base64url each. */
  readonly hashes: readonly string[]
  readonly readOnly: boolean
}

/** Whether a text has the form of a static token, whichever it is. */
export function isStaticToken(text: string): boolean {
  return text.startsWith(STATIC_TOKEN_PREFIX)
}

/** The token of the configuration whose secret is presented; undefined: there is none. */
export function findStaticToken(
  tokens: readonly StaticToken[],
  presented: string,
): StaticToken | undefined {
  // A hash of 256 random bits gives nothing away by the time that it takes to compare.
  const line = `sha256:${hash('sha256', presented, 'base64url')}`
  return tokens.find(({ hashes }) => hashes.includes(line))
}
