// latchkey users claim: values that accounts have had since before their attribute was unique.
import type { Command } from 'commander'
import type { Twins } from '../../users/claims/find-twins.ts'
import type { Io } from '../terminal/io.ts'
import { Refused } from '../terminal/refused.ts'
import { countOf } from '../terminal/words.ts'
import { withStore } from '../tools.ts'

const HELP = `
Run it after \`unique: true\` was set for an attribute that accounts have already, once every server has \
this configuration. While two accounts have the same value, it names them and claims nothing: change or \
remove all but one. Servers go on meanwhile; run it again as often as you like.

Example:
  latchkey users claim
`

/** Adds `users claim`. */
export function addClaim(users: Command, io: Io): void {
  users
    .command('claim')
    .description(
      'claim the values of attributes that have become unique, so that accounts ' +
        'are found by them',
    )
    .addHelpText('after', HELP)
    .action(
      withStore(io, async ({ valueClaims, print }) => {
        const { accounts, twins } = await valueClaims.claim()
        for (const each of twins) {
          print({ outcome: 'twins', ...each }, `${each.attribute}: ${namesOf(each)}`)
        }
        if (twins.length > 0) throw refusal(twins.length, accounts)
        print(
          { outcome: 'claimed', accounts },
          `every unique value is claimed: ${countOf(accounts, 'account')} had some that were not`,
        )
      }),
    )
}

function namesOf({ accounts }: Twins): string {
  return accounts.map(({ name, sub }) => `${name} (${sub})`).join(', ')
}

function refusal(values: number, claimed: number): Refused {
  return new Refused(
    'values_taken',
    `values taken: ${countOf(values, 'value')} at several accounts, ${countOf(claimed, 'account')} ` +
      'claimed; leave each value at one account and run this again',
  )
}
