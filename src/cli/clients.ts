// latchkey clients secret
import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { systemRandom } from '../base/random.ts'
import type { Io } from './terminal/io.ts'
import { withTools } from './tools.ts'

const SECRET_BYTES = 32

const EXAMPLE = `
Example:
  latchkey clients secret
Give the secret to the application; put the sha256: line under clients[].secrets. The secret is kept nowhere.
`

/** Adds `clients`. */
export function addClients(program: Command, io: Io): void {
  program
    .command('clients')
    .description('applications')
    .command('secret')
    .description('make a client secret and its line for the configuration')
    .addHelpText('after', EXAMPLE)
    .action(
      withTools(io, async ({ print }) => {
        const secret = systemRandom.bytes(SECRET_BYTES).toString('base64url')
        const hash = `sha256:${createHash('sha256').update(secret, 'ascii').digest('base64url')}`
        print({ secret, hash }, [secret, hash])
      }),
    )
}
