// The exchange of a refresh token in Redis: one script, one round trip.
import type {
  Families,
  FamilyRef,
  Presented,
  RotateOutcome,
} from '../../ports/families.ts'
import type { StoreUnavailable } from '../../ports/unavailable.ts'
import type { RedisAdapter } from '../adapter.ts'
import { addressOf, RedisFault, unavailable } from '../connection/reasons.ts'
import { readUser } from '../people/account-record.ts'
import { familyOf, oneOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'
import { REFUSALS, type FamilyParts } from './family-parts.ts'

const ROTATE_REFUSALS = [...REFUSALS, 'scope_wider', 'audience_wider'] as const
const ROTATED = ['rotated', 'replayed', 'late', 'healed', 'reused'] as const

/** Whether a family, read again, is as the exchange has left it. */
type Lasts = (generation: number, isEnded: boolean) => boolean

/** Makes `families.rotate`. */
export function createRotate(
  { link, time, askedAt, durably, hasReplicas, statusBits }: RedisAdapter,
  { keysOf, rememberEnd, refuse, tokenArgs }: FamilyParts,
): Families['rotate'] {
  const rotateScript = loadScript(link, 'sessions/rotate')
  const confirmScript = durably('sessions/confirm')

  /** Why it isn't sure that a healed or an ended family stays so; undefined when it is. */
  async function faultOf(
    ref: FamilyRef,
    lasts: Lasts,
  ): Promise<StoreUnavailable | undefined> {
    if (!hasReplicas) return undefined
    try {
      const [generation, ended] = await confirmScript(keysOf(ref))
      if (lasts(Number(generation), ended === 1)) return undefined
      const fault = new RedisFault('another primary took over before it had the write')
      return unavailable(fault, addressOf(link.client))
    } catch (error) {
      return unavailable(error, addressOf(link.client))
    }
  }

  return async function rotate(presented: Presented): Promise<RotateOutcome> {
    const args = argsOf(presented, time(), tokenArgs(presented))
    const ask = (at: number | string) => rotateScript(keysOf(presented), [...args, at])
    const reply = await ask(askedAt())
    // The caller still waits, so it can't be too late: the store's clock has jumped.
    const [kind, detail, family, user, tokens] =
      reply[0] === 'too_late' ? await ask('') : reply
    if (kind === 'refused') return refuse(oneOf(ROTATE_REFUSALS, detail))
    const found = { family: familyOf(presented, family), user: readUser(user) }
    const rotated = oneOf(ROTATED, kind)
    if (rotated === 'reused') {
      rememberEnd(presented)
      statusBits.setEventually(tokens)
      const fault = await faultOf(presented, (_generation, isEnded) => isEnded)
      return { kind: rotated, ...found, fault }
    }
    const generation = Number(detail)
    if (rotated !== 'healed') return { kind: rotated, generation, ...found }
    const fault = await faultOf(presented, kept => kept >= generation)
    return {
      kind: rotated,
      generation,
      ...found,
      fault,
    }
  }
}

/** The script's arguments, but for the instant at which it was asked for. */
function argsOf(
  presented: Presented,
  time: string,
  token: readonly [string, number],
): Array<string | number> {
  const { jkt = '', scope = [], audience = [] } = presented
  return [
    time,
    presented.generation,
    presented.clientId,
    presented.idleMs,
    presented.reuseGraceMs,
    presented.lateRetry,
    jkt,
    scope.join(' '),
    JSON.stringify(audience),
    ...token,
    presented.sid,
  ]
}
