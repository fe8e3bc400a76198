// latchkey sessions list | revoke | revoke-all
import type { Command } from 'commander'
import type { Device, Session } from '../stores/ports/families.ts'
import { addExamples } from './terminal/examples.ts'
import type { Io } from './terminal/io.ts'
import { operator } from './terminal/operator.ts'
import { Refused } from './terminal/refused.ts'
import { iso } from './terminal/time.ts'
import { accountRefused, requireAccount, withStore } from './tools.ts'

const EXAMPLES = [
  'latchkey sessions list alice',
  'latchkey sessions revoke q83vEjRWeJCrze8SNFZ4kA --user alice',
  'latchkey sessions revoke --user alice -- -jRWeJCrze8SNFZ4kAq83v      # a sid that begins with -',
  'latchkey sessions revoke-all alice',
]

/** Adds `sessions`. */
export function addSessions(program: Command, io: Io): void {
  const sessions = program
    .command('sessions')
    .description('the sessions of a user: one per login')
  addExamples(sessions, 'Examples:', EXAMPLES)

  sessions
    .command('list <user>')
    .description('the active sessions, newest first')
    .action(
      withStore(io, async ({ accounts, sessions, print, remark }, name: string) => {
        const { tag } = requireAccount(await accounts.find(name), name)
        const living = await sessions.list(tag)
        for (const session of living) print(...describe(session))
        if (living.length === 0) remark(`${name} has no living session`)
      }),
    )

  sessions
    .command('revoke <sid>')
    .description('end one session and with it its access tokens')
    .option('--user <name>', 'whose session it is; without it, all sessions are searched')
    .action(
      withStore(io, async (tools, sid: string, { user }: { user?: string }) => {
        const { accounts, sessions, print } = tools
        const userTag =
          user === undefined
            ? undefined
            : requireAccount(await accounts.find(user), user).tag
        const outcome = await sessions.end({ sid, userTag }, operator())
        if (outcome === 'session_unknown') throw sessionUnknown(sid)
        print({ sid, outcome }, `${sid}: ${outcome.replace('_', ' ')}`)
      }),
    )

  sessions
    .command('revoke-all <user>')
    .description('end every session of the user')
    .action(
      withStore(io, async ({ sessions, print }, name: string) => {
        const sub = await sessions.endAll(name, operator())
        if (sub === undefined) throw accountRefused('user_unknown', name)
        print({ sub, outcome: 'ended' }, `every session of ${name} is ended`)
      }),
    )
}

function sessionUnknown(sid: string): Refused {
  return new Refused(
    'session_unknown',
    `session unknown: no session that is kept has the sid ${sid}`,
  )
}

function describe(session: Session): [Record<string, unknown>, string] {
  const { sid, clientId, scope, audience, generation, lateCount, device } = session
  const [startedAt = '', lastUsedAt = '', idleUntil = '', endsAt = ''] = [
    session.startedAt,
    session.lastUsedAt,
    session.idleUntil,
    session.endsAt,
  ].map(iso)
  const record = {
    sid,
    clientId,
    device: device.name ?? null,
    userAgent: device.userAgent ?? null,
    network: device.network ?? null,
    scope,
    audience,
    generation,
    lateCount,
    startedAt,
    lastUsedAt,
    idleUntil,
    endsAt,
  }
  return [
    record,
    `${sid}  ${clientId}  ${deviceText(device)}since ${startedAt}, last used ${lastUsedAt}, until ` +
      `${idleUntil} unless refreshed, ${endsAt} at the latest  ${scope}`,
  ]
}

/** `"Ann's phone", Firefox, from 192.0.2.0/24, ` as far as it is known. */
function deviceText({ name, userAgent, network }: Device): string {
  return [name && JSON.stringify(name), userAgent, network && `from ${network}`]
    .filter(Boolean)
    .map(part => `${part}, `)
    .join('')
}
