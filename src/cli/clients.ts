// latchkey clients secret | token
import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { systemRandom } from '../base/random.ts'
import { STATIC_TOKEN_PREFIX } from '../oauth/static-token.ts'
import type { Io } from './terminal/io.ts'
import { withTools } from './tools.ts'

const SECRET_BYTES = 32

const EXAMPLE = `
Example:
  latchkey clients secret
Give the secret to the application; put the sha256: line under clients[].secrets. The secret is kept nowhere.
`

const TOKEN_EXAMPLE = `
Example:
  latchkey clients token
Give the token to Okta, Entra ID or whatever else keeps accounts by SCIM; put the sha256: line under
scim.tokens[].hashes. The token is kept nowhere, and works until its line is taken out.
`

/** Adds `clients`. */
export function addClients(program: Command, io: Io): void {
  const clients = program.command('clients').description('applications')
  clients
    .command('secret')
    .description('make a client secret and its line for the configuration')
    .addHelpText('after', EXAMPLE)
    .action(
      withTools(io, async ({ print }) => {
        const secret = randomText()
        const hash = hashLine(secret)
        print({ secret, hash }, [secret, hash])
      }),
    )
  clients
    .command('token')
    .description('make a bearer token for SCIM and its line for the configuration')
    .addHelpText('after', TOKEN_EXAMPLE)
    .action(
      withTools(io, async ({ print }) => {
        const token = `${STATIC_TOKEN_PREFIX}${randomText()}`
        const hash = hashLine(token)
        print({ token, hash }, [token, hash])
      }),
    )
}

function randomText(): string {
  return systemRandom.bytes(SECRET_BYTES).toString('base64url')
}

function hashLine(secret: string): string {
  return `sha256:${createHash('sha256').update(secret, 'ascii').digest('base64url')}`
}
