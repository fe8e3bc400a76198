// The refresh-token families in Redis: each call one script, one round trip.
import type {
  EndOutcome,
  EndRequest,
  Families,
  FamilyRef,
  Login,
  OpenOutcome,
  PeekOutcome,
  Presented,
  Refusal,
  RotateOutcome,
  Session,
} from '../../ports/families.ts'
import type { StoreUnavailable } from '../../ports/unavailable.ts'
import type { RedisAdapter } from '../adapter.ts'
import { addressOf, RedisFault, unavailable } from '../connection/reasons.ts'
import { familyOf, listOf, oneOf, userOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'
import { tokenText } from './status-bits.ts'

export const REFUSALS: readonly Refusal[] = [
  'family_unknown',
  'family_ended',
  'family_idle',
  'family_expired',
  'client_mismatch',
  'key_mismatch',
  'user_unknown',
  'user_disabled',
  'sessions_ended',
]
const WIDER = ['scope_wider', 'audience_wider'] as const
const ROTATE_REFUSALS = [...REFUSALS, ...WIDER]
const PEEK_REFUSALS = [...REFUSALS, 'superseded'] as const
const ROTATED = ['rotated', 'replayed', 'late', 'healed', 'reused'] as const
const ENDED: readonly EndOutcome[] = [
  'ended',
  'already_ended',
  'family_unknown',
  'client_mismatch',
]

/** How many keys one step of a walk looks at. */
const SCAN_COUNT = 1000

export function createRedisFamilies(adapter: RedisAdapter): Families {
  const {
    link,
    keys,
    time,
    askedAt,
    durably,
    doubt,
    hasReplicas,
    revocations,
    statusBits,
  } = adapter
  const openScript = durably('sessions/open')
  const rotateScript = loadScript(link, 'sessions/rotate')
  const peekScript = loadScript(link, 'sessions/peek')
  const endScript = durably('sessions/end')
  const confirmScript = durably('sessions/confirm')
  const endAgainScript = loadScript(adapter.bare, 'sessions/end')
  const listScript = loadScript(link, 'sessions/list')

  const keysOf = (ref: FamilyRef) => [
    keys.user(ref.userTag),
    keys.family(ref),
    keys.live(ref.userTag),
  ]
  const remember = (ref: FamilyRef) =>
    revocations.remember(keys.family(ref), () =>
      endAgainScript(keysOf(ref), [time(), '', ref.sid]),
    )
  const noteOf = ({ sid, status }: Pick<Login | Presented, 'sid' | 'status'>) =>
    status === undefined ? ['', 0] : [tokenText(sid, status), status.forMs]

  async function refused<Reason extends string>(
    reason: Reason,
  ): Promise<{ readonly kind: 'refused'; readonly reason: Reason }> {
    // What isn't there may have been lost.
    if (reason === 'family_unknown' || reason === 'user_unknown') await doubt()
    return { kind: 'refused', reason }
  }

  /**
   * What to tell of a family that was healed or ended on the way: undefined when it will last, else why that
   * isn't sure.
   */
  async function faultOf(
    ref: FamilyRef,
    lasts: (generation: number, isEnded: boolean) => boolean,
  ): Promise<StoreUnavailable | undefined> {
    if (!hasReplicas) return undefined
    try {
      const [generation, ended] = await confirmScript(keysOf(ref))
      return lasts(Number(generation), ended === 1)
        ? undefined
        : unavailable(
            new RedisFault('another primary took over before it had the write'),
            addressOf(link.client),
          )
    } catch (error) {
      return unavailable(error, addressOf(link.client))
    }
  }

  async function open(login: Login): Promise<OpenOutcome> {
    const { epoch, clientId, scope, audience, idleMs, absoluteMs, jkt = '' } = login
    const args = [
      time(),
      epoch,
      clientId,
      scope,
      JSON.stringify(audience),
      idleMs,
      absoluteMs,
      jkt,
      ...noteOf(login),
    ]
    const [kind, detail, user] = await openScript(keysOf(login), args)
    if (kind === 'refused') return refused(oneOf(REFUSALS, detail))
    return { kind: 'opened', family: familyOf(login, detail), user: userOf(user) }
  }

  async function rotate(presented: Presented): Promise<RotateOutcome> {
    const {
      generation,
      clientId,
      idleMs,
      reuseGraceMs,
      lateRetry,
      jkt = '',
      scope = [],
      audience = [],
    } = presented
    const args = [
      time(),
      generation,
      clientId,
      idleMs,
      reuseGraceMs,
      lateRetry,
      jkt,
      scope.join(' '),
      JSON.stringify(audience),
      ...noteOf(presented),
      presented.sid,
    ]
    const ask = (at: number | string) => rotateScript(keysOf(presented), [...args, at])
    const reply = await ask(askedAt())
    // Whoever is told so still waits: the store's clock has jumped.
    const [kind, detail, family, user, tokens] =
      reply[0] === 'too_late' ? await ask('') : reply
    if (kind === 'refused') return refused(oneOf(ROTATE_REFUSALS, detail))
    const found = { family: familyOf(presented, family), user: userOf(user) }
    const rotated = oneOf(ROTATED, kind)
    if (rotated === 'reused') {
      remember(presented)
      statusBits.setEventually(tokens)
      return {
        kind: rotated,
        ...found,
        fault: await faultOf(presented, (_generation, isEnded) => isEnded),
      }
    }
    const next = Number(detail)
    if (rotated !== 'healed') return { kind: rotated, generation: next, ...found }
    return {
      kind: rotated,
      generation: next,
      ...found,
      fault: await faultOf(presented, generation => generation >= next),
    }
  }

  async function peek(presented: Parameters<Families['peek']>[0]): Promise<PeekOutcome> {
    const { generation, reuseGraceMs } = presented
    const [kind, detail, user] = await peekScript(keysOf(presented), [
      time(),
      generation,
      reuseGraceMs,
    ])
    if (kind === 'refused') return refused(oneOf(PEEK_REFUSALS, detail))
    return { kind: 'active', family: familyOf(presented, detail), user: userOf(user) }
  }

  async function end(request: EndRequest): Promise<EndOutcome> {
    const [reply, tokens] = await endScript(keysOf(request), [
      time(),
      request.clientId ?? '',
      request.sid,
    ])
    const outcome = oneOf(ENDED, reply)
    if (outcome === 'family_unknown') await doubt()
    if (outcome === 'ended' || outcome === 'already_ended') remember(request)
    await statusBits.setAll(tokens)
    return outcome
  }

  /**
   * There is no index of a user's families, which would grow with every login: an operator's question may
   * look at all keys of a node.
   */
  async function list(userTag: string): Promise<readonly Session[]> {
    // A walk may meet a key twice.
    const sessions = new Map<string, Session>()
    let cursor = '0'
    do {
      const [next, living] = await listScript(
        [keys.user(userTag)],
        [time(), cursor, keys.families(userTag), SCAN_COUNT],
      )
      for (const [key, ...found] of listOf(living).map(listOf)) {
        sessions.set(String(key), sessionOf(keys.refOf(userTag, String(key)), found))
      }
      cursor = String(next)
    } while (cursor !== '0')
    return [...sessions.values()].sort((a, b) => b.startedAt - a.startedAt)
  }

  return {
    open,
    rotate,
    peek,
    end,
    list,
  }
}

function sessionOf(
  ref: FamilyRef,
  [family, generation, lateCount]: readonly unknown[],
): Session {
  return {
    ...familyOf(ref, family),
    generation: Number(generation),
    lateCount: Number(lateCount),
  }
}
