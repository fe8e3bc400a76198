// Which attributes users may set themselves: those that the configuration marks `self`.
import { attributeRefused } from '../oauth/account-errors.ts'
import type { AttributeChanges } from '../users/attributes/check.ts'
import type { Declarations } from '../users/attributes/declarations.ts'

/** @throws OAuthError attribute_not_self for the first attribute that users may not set */
export function requireSelf(changes: AttributeChanges, declarations: Declarations): void {
  for (const name of Object.keys(changes)) {
    // What users may not change is as little their business as what isn't there.
    if (declarations.get(name)?.self === true) continue
    const mine = [...declarations].flatMap(([one, { self }]) => (self ? one : []))
    const expected = `one of ${mine.join(', ') || 'none'} is expected`
    throw attributeRefused(name, expected, 'attribute_not_self')
  }
}
