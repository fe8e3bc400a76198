// latchkey keys list | rotate | retire
import type { Command } from 'commander'
import type { KeyChange, KeyRing } from '../keys/ring.ts'
import type { Io } from './io.ts'
import { Refused } from './refused.ts'
import { withStore } from './tools.ts'

const EXAMPLES = `
Examples:
  latchkey keys list
  latchkey keys rotate
  latchkey keys retire kcwT8M1mWRAIKcVcgOMtkWZBXwDuJEyhFBAzpvUOGeM --yes      one that begins with - stands last, behind --
`

/** Adds `keys`. */
export function addKeys (program: Command, io: Io): void {
  const keys = program.command('keys').description('the signing keys').addHelpText('afterAll', EXAMPLES)

  keys.command('list').description('the keys in the order in which they sign')
    .action(withStore(io, async ({ loadRing, print }) => {
      for (const { kid, alg, state, signFrom, signUntil, removeAt } of (await loadRing()).describe()) {
        const times = { signFrom: iso(signFrom), signUntil: iso(signUntil), removeAt: iso(removeAt) }
        print({ kid, alg, state, ...times }, `${kid}  ${alg}  ${state}  signs ${times.signFrom} to ${times.signUntil}, removed ${times.removeAt}`)
      }
    }))

  keys.command('rotate').description('let the next key sign from now on')
    .action(withStore(io, async ({ loadRing, print }) => {
      const ring = await loadRing()
      const active = signerAfter(ring, await ring.rotate({ atOnce: true }))
      print({ active }, `${active} signs now; the one before it verifies until its last token has expired`)
    }))

  keys.command('retire <kid>').description('drop a key that leaked, at once: every token that it signed dies')
    .requiredOption('--yes', 'the tokens of this key may die')
    .action(withStore(io, async ({ loadRing, print }, kid: string) => {
      const ring = await loadRing()
      const active = signerAfter(ring, await ring.retire(kid))
      print({ retired: kid, active }, `${kid} is dropped; ${active} signs. Other servers follow within a minute.`)
    }))
}

function signerAfter (ring: KeyRing, change: KeyChange): string {
  if (change.kind === 'refused') throw new Refused(change.reason)
  return ring.signingKey().kid
}

function iso (at: number): string {
  return new Date(at).toISOString()
}
