// The rules of `selfService`.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { fault } from './shared.ts'

/** NIST SP 800-63B-4 §4.2.1.2. */
const LONGEST_TTL_MS = 86_400_000

/** Checks `selfService`: what has to be sent needs a way out. */
export function checkSelfService(config: Config): Fault[] {
  const { attributes, selfService } = config
  const { registration, verify, ticketTtl } = selfService
  const at = (key: string) => ['selfService', key]
  const isEmailSelf = attributes['email']?.self === true
  const verifies = verify === 'email' && registration === 'open'
  return [
    ...(ticketTtl > LONGEST_TTL_MS ? [fault(at('ticketTtl'), 'at most 24h')] : []),
    ...(verifies && !isEmailSelf
      ? [fault(at('verify'), 'none, or an attribute email with self: true (attributes)')]
      : []),
    ...checkWays(config),
  ]
}

/** What selfService has to send needs a way out that takes it and, by mail, a page to lead to. */
export function checkWays(config: Config): Fault[] {
  const needs = needsOf(config)
  return [
    ...needs
      .filter(key => !isSent(config.notify, ticketOf(key)))
      .map(key =>
        fault(
          ['selfService', key],
          `a way out for ${ticketOf(key)} (notify.mail or notify.webhook, and its types)` +
            (key === 'recovery' ? '' : ', or selfService.verify: none'),
        ),
      ),
    ...checkLinks(config, needs),
  ]
}

/** The keys of selfService that send tickets. */
function needsOf({ attributes, selfService }: Config): string[] {
  const { registration, verify, recovery, account } = selfService
  const verifies = verify === 'email'
  return [
    ...(verifies && registration === 'open' ? ['registration'] : []),
    ...(recovery ? ['recovery'] : []),
    ...(verifies && account && attributes['email']?.self === true ? ['verify'] : []),
  ]
}

const ticketOf = (key: string) =>
  key === 'recovery' ? 'ticket.recovery' : 'ticket.verification'

/** As `waysOf` of the outbox has it: without types, tickets are mailed, and posted where there is no mail. */
function isSent({ webhook, mail }: Config['notify'], ticket: string): boolean {
  const isPosted = webhook?.types?.includes(ticket) ?? (webhook && mail === undefined)
  return isPosted === true || (mail !== undefined && isMailed(mail, ticket))
}

const isMailed = ({ types }: { types?: readonly string[] }, ticket: string) =>
  types?.includes(ticket) ?? true

/** A mail with a ticket has a page to lead to. */
function checkLinks(
  { notify: { mail }, selfService }: Config,
  needs: readonly string[],
): Fault[] {
  if (mail === undefined) return []
  const { links } = mail
  const tickets = new Set([
    ...needs.map(ticketOf),
    ...(selfService.registration === 'invite' ? ['ticket.invitation'] : []),
  ])
  return (['verification', 'recovery', 'invitation'] as const)
    .filter(each => tickets.has(`ticket.${each}`))
    .filter(each => isMailed(mail, `ticket.${each}`))
    .filter(each => links[each] === undefined)
    .map(each =>
      fault(
        ['notify', 'mail', 'links', each],
        'the page of your app that takes this ticket',
      ),
    )
}
