// The rules of `scim`.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { fault, repeated } from './shared.ts'

/** Checks `scim`. */
export function checkScim({ scim: { tokens } }: Config): Fault[] {
  const hashes = tokens.flatMap(token => token.hashes)
  return [
    ...repeated(tokens.map(({ name }) => name)).map(index =>
      fault(['scim', 'tokens', index, 'name'], 'another name than those before it'),
    ),
    ...repeated(hashes).map(place =>
      fault(['scim', 'tokens', ofToken(tokens, place), 'hashes'], 'each hash once'),
    ),
  ]
}

/** Whose hash it is that stands at that place of all. */
function ofToken(tokens: Config['scim']['tokens'], place: number): number {
  let before = 0
  return tokens.findIndex(({ hashes }) => {
    before += hashes.length
    return place < before
  })
}
