// The rules of `selfService`.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { fault } from './shared.ts'

/** NIST SP 800-63B-4 §4.2.1.2. */
const LONGEST_TTL_MS = 86_400_000

/** Checks `selfService`: what has to be sent needs a way out. */
export function checkSelfService(config: Config): Fault[] {
  const { attributes, selfService } = config
  const { registration, verify, recovery, account, ticketTtl } = selfService
  const at = (key: string) => ['selfService', key]
  const isEmailSelf = attributes['email']?.self === true
  const verifies = verify === 'email' && registration === 'open'
  const needs = [
    ...(verifies ? ['registration'] : []),
    ...(recovery ? ['recovery'] : []),
    ...(verify === 'email' && account && isEmailSelf ? ['verify'] : []),
  ]
  const { webhook, mail } = config.notify
  return [
    ...(ticketTtl > LONGEST_TTL_MS ? [fault(at('ticketTtl'), 'at most 24h')] : []),
    ...(verifies && !isEmailSelf
      ? [fault(at('verify'), 'none, or an attribute email with self: true (attributes)')]
      : []),
    ...(webhook !== undefined || mail !== undefined
      ? []
      : needs.map(key =>
          fault(
            at(key),
            'a way out (notify.mail or notify.webhook) for what has to be sent' +
              (key === 'recovery' ? '' : ', or selfService.verify: none'),
          ),
        )),
    ...checkLinks(config, needs),
  ]
}

/** A mail with a ticket has a page to lead to. */
function checkLinks(
  { notify: { mail }, selfService }: Config,
  needs: readonly string[],
): Fault[] {
  if (mail === undefined) return []
  const { links, types } = mail
  const purposes = new Set([
    ...needs.map(key => (key === 'recovery' ? 'recovery' : 'verification')),
    ...(selfService.registration === 'invite' ? ['invitation'] : []),
  ])
  return (['verification', 'recovery', 'invitation'] as const)
    .filter(each => purposes.has(each) && (types?.includes(`ticket.${each}`) ?? true))
    .filter(each => links[each] === undefined)
    .map(each =>
      fault(
        ['notify', 'mail', 'links', each],
        'the page of your app that takes this ticket',
      ),
    )
}
