// How a refused login is printed.
import type { LoginRefusal } from '../../../stores/ports/logins/refusals.ts'
import { iso } from '../../terminal/time.ts'

/** The record of a refusal; instants in UTC. */
export function describeRefusal(refusal: LoginRefusal): Record<string, unknown> {
  const { reason, clientId, network, count, firstAt, lastAt, until } = refusal
  return {
    reason,
    clientId: clientId ?? null,
    network,
    count,
    firstAt: iso(firstAt),
    lastAt: iso(lastAt),
    until: until === undefined ? null : iso(until),
  }
}

/** A line for people. */
export function refusalLine(refusal: LoginRefusal): string {
  const { reason, clientId, network, count, firstAt, lastAt, until } = refusal
  return [
    `${iso(lastAt)}  ${reason}`,
    `client ${clientId ?? 'not named'}`,
    `from ${network}`,
    ...(count > 1 ? [`${count} times since ${iso(firstAt)}`] : []),
    ...(until === undefined ? [] : [`until ${iso(until)}`]),
  ].join('  ')
}
