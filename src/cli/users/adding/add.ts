// latchkey users add
import type { Command } from 'commander'
import type { Io } from '../../terminal/io.ts'
import { readNewPassword } from '../../terminal/io.ts'
import { Refused } from '../../terminal/refused.ts'
import { accountWords } from '../../terminal/words.ts'
import { withStore, type StoreTools } from '../../tools.ts'
import { accessOf, withAccess, type AccessOptions } from '../access-options.ts'
import {
  attributeRefused,
  attributesOf,
  withAttribute,
  type AttributeOptions,
} from '../attribute-options.ts'
import { invite, requireInvitations } from './invite.ts'

type AddOptions = AccessOptions & AttributeOptions & { readonly invite?: true }

/** Adds `users add`. */
export function addAdding(users: Command, io: Io): void {
  withAttribute(
    withAccess(
      users
        .command('add <name>')
        .description(
          'add an account; the password comes from a prompt or standard input',
        ),
    ),
  )
    .option(
      '--email-verified',
      'the user has proved that they can read mail sent to `email`',
    )
    .option(
      '--invite',
      'without a password; a ticket for the first password is sent to the address',
    )
    .action(
      withStore(io, async (tools, name: string, options: AddOptions) => {
        const { accounts, config, print } = tools
        const isInvited = options.invite === true
        const known = attributesOf(options, config)
        // Asked first: nobody is added whom nothing is sent to.
        const email = known.attributes?.['email']
        if (isInvited) requireInvitations(tools, typeof email === 'string')
        const outcome = await accounts.add({
          name,
          password: isInvited ? undefined : await readNewPassword(io),
          ...accessOf(options, { scopes: null, roles: [] }),
          ...known,
        })
        if (outcome.kind === 'refused') {
          throw attributeRefused(outcome) ?? refusal(outcome, config, name)
        }
        const { sub } = outcome.account
        const say = (more = '') =>
          print({ name, sub }, `${name} is added as ${sub}${more}`)
        if (!isInvited) return say()
        await invite(tools, { sub, name }).catch((error: unknown) => {
          // `users invite` does the rest.
          say()
          throw error
        })
        say(', and invited')
      }),
    )
}

/** What is refused, with the rule that wasn't kept. */
export function refusal(
  { reason }: { readonly reason: string },
  { passwords: { minLength } }: StoreTools['config'],
  name: string,
): Refused {
  return new Refused(reason, accountWords(reason, { minLength, name }))
}
