// latchkey token inspect | verify
import type { Command } from 'commander'
import { refOf } from '../tokens/access-token.ts'
import { decodeToken } from '../tokens/decode.ts'
import { createTokenVerifier } from '../tokens/verifier.ts'
import { addExamples } from './terminal/examples.ts'
import { firstLine, type Io } from './terminal/io.ts'
import { Refused } from './terminal/refused.ts'
import { withStore, withTools } from './tools.ts'

const EXAMPLES = [
  'pbpaste | latchkey token inspect -',
  'latchkey token verify - < token.txt',
]

/** Adds `token`. */
export function addToken(program: Command, io: Io): void {
  const token = program.command('token').description('access tokens')
  addExamples(
    token,
    'Examples (- reads the token from standard input, where no process list shows it):',
    EXAMPLES,
  )

  token
    .command('inspect <jwt>')
    .description('decode a token; nothing is checked')
    .action(
      withTools(io, async ({ print }, jwt: string) => {
        const decoded = decodeToken(await readToken(io, jwt))
        if (decoded === undefined) throw new Refused('token_malformed')
        print({ ...decoded }, JSON.stringify(decoded, undefined, 2).split('\n'))
      }),
    )

  token
    .command('verify <jwt>')
    .description(
      'check a token as the server does: signature, type, issuer, times, audience, revocation',
    )
    .action(
      withStore(io, async ({ config, store, clients, ...tools }, jwt: string) => {
        const now = await store.now()
        const text = await readToken(io, jwt)
        const verified = createTokenVerifier({
          issuer: config.issuer,
          keys: await tools.readRing(),
          knowsAudience: clients.knowsAudience,
          now: () => now,
        }).verify(text)
        if (verified.kind === 'refused') throw tokenRefused(verified.reason, text)
        const { claims } = verified
        const outcome = await tools.check({ claims, ref: refOf(claims) })
        if (outcome.kind === 'refused') throw new Refused(outcome.reason)
        tools.print(
          { active: true, claims },
          `active: sub ${claims.sub}, client ${claims.client_id}, until ` +
            `${new Date(claims.exp * 1000).toISOString()}`,
        )
      }),
    )
}

async function readToken({ stdin }: Io, jwt: string): Promise<string> {
  return jwt === '-' ? firstLine(stdin, 'token_missing') : jwt
}

/** A token of ours that isn't for APIs is called what it is; its signature has been found right by then. */
function tokenRefused(reason: string, text: string): Refused {
  const isIdToken =
    reason === 'claims_incomplete' && decodeToken(text)?.payload['at_hash'] !== undefined
  return isIdToken
    ? new Refused(
        'id_token',
        'an ID token of ours: it is for its client, and opens no API',
      )
    : new Refused(reason)
}
