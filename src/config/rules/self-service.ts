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
  return [
    ...(ticketTtl > LONGEST_TTL_MS ? [fault(at('ticketTtl'), 'at most 24h')] : []),
    ...(verifies && !isEmailSelf
      ? [fault(at('verify'), 'none, or an attribute email with self: true (attributes)')]
      : []),
    ...(config.notify.webhook !== undefined
      ? []
      : needs.map(key =>
          fault(
            at(key),
            'a way out (notify.webhook) for what has to be sent' +
              (key === 'recovery' ? '' : ', or selfService.verify: none'),
          ),
        )),
  ]
}
