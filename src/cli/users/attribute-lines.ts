// What is known of a user, as people read it.
import type { AttributeChanges } from '../../users/attributes/check.ts'

/** A line for each attribute; that of the address says whether it was verified. */
export function attributeLines({
  attributes,
  emailVerified,
}: {
  readonly attributes: AttributeChanges
  readonly emailVerified: boolean
}): string[] {
  return Object.entries(attributes).map(([name, value]) => {
    const verified = name === 'email' && emailVerified ? '  verified' : ''
    return `  ${name}: ${JSON.stringify(value)}${verified}`
  })
}
