// latchkey token inspect | verify
import type { Command } from 'commander'
import { decodeToken, verifyWithRing } from '../tokens/verify-offline.ts'
import { userTag } from '../base/ids.ts'
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
    .description('check signature, type, issuer, times and revocation')
    .action(
      withStore(io, async ({ config, store, readRing, print }, jwt: string) => {
        const verdict = verifyWithRing(await readToken(io, jwt), await readRing(), {
          issuer: config.issuer,
          now: await store.now(),
        })
        if (verdict.kind === 'refused') throw new Refused(verdict.reason)
        const { claims } = verdict
        const outcome = await store.accessTokens.check({
          userTag: userTag(claims.sub),
          sid: claims.sid,
          jti: claims.jti,
        })
        if (outcome.kind === 'refused') throw new Refused(outcome.reason)
        print(
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
