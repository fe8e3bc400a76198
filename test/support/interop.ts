// What a test proves about software that nobody here wrote: told in the results, from which
// scripts/interop-table.ts makes the README's table.
import type { Test } from 'tap'
import type { Proof } from '../../scripts/interop-table.ts'

/**
 * Says what this subtest proves once it has passed, of which client or verifier. Several, joined by ` with `,
 * are one.
 */
export function proves(t: Test, software: string, ...proofs: readonly Proof[]): void {
  t.comment(`interop: ${software}: ${proofs.join(', ')}`)
}
