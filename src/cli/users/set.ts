// latchkey users set: what is known of a user.
import type { Command } from 'commander'
import type { Io } from '../terminal/io.ts'
import { accountRefused, withStore } from '../tools.ts'
import {
  attributeRefused,
  attributesOf,
  collect,
  withAttribute,
  type AttributeOptions,
} from './attribute-options.ts'

const EXAMPLES = `
What is not named stays. Another address is not verified, unless --email-verified says so.

Examples:
  latchkey users set alice --attribute email=alice@example.com --email-verified
  latchkey users set alice --attribute groups=sales --attribute groups=support --remove tenant
`

/** Adds `users set`. */
export function addSet(users: Command, io: Io): void {
  withAttribute(
    users
      .command('set <name>')
      .description(
        'set or remove attributes of the user; sessions go on, and the next token has the change',
      ),
  )
    .option('--remove <attribute>', 'an attribute to remove', collect)
    .option(
      '--email-verified',
      'the user has proved that they can read mail sent to `email`',
    )
    .option('--no-email-verified', 'the user has not proved that yet')
    .addHelpText('after', EXAMPLES)
    .action(
      withStore(
        io,
        async ({ accounts, config, print }, name: string, options: AttributeOptions) => {
          const outcome = await accounts.setAttributes(
            name,
            attributesOf(options, config),
          )
          if (outcome.kind === 'refused') {
            throw attributeRefused(outcome) ?? accountRefused(outcome.reason, name)
          }
          print(
            { name, sub: outcome.sub, change: 'attributes' },
            `${name} is changed; sessions live on`,
          )
        },
      ),
    )
}
