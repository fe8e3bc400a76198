// The refresh-token families in Redis: each call one script, one round trip.
import {
  NO_DEVICE,
  type EndOutcome,
  type EndRequest,
  type Families,
  type Login,
  type OpenOutcome,
  type PeekOutcome,
} from '../../ports/families.ts'
import type { RedisAdapter } from '../adapter.ts'
import { readUser } from '../people/account-record.ts'
import { familyOf, oneOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'
import { createFamilyParts, REFUSALS } from './family-parts.ts'
import { createList } from './list.ts'
import { createOwnerOf } from './owner-of.ts'
import { createRotate } from './rotate.ts'

const PEEK_REFUSALS = [...REFUSALS, 'superseded'] as const
const ENDED: readonly EndOutcome[] = [
  'ended',
  'already_ended',
  'family_unknown',
  'client_mismatch',
]

/** Makes the families of this Redis; each call rejects with StoreUnavailable where it doesn't answer. */
export function createRedisFamilies(adapter: RedisAdapter): Families {
  const { link, time, durably, doubt, statusBits } = adapter
  const parts = createFamilyParts(adapter)
  const { keysOf, rememberEnd, refuse, tokenArgs } = parts
  const openScript = durably('sessions/open')
  const peekScript = loadScript(link, 'sessions/peek')
  const endScript = durably('sessions/end')

  async function open(login: Login): Promise<OpenOutcome> {
    const [kind, detail, user] = await openScript(
      keysOf(login),
      openArgs(login, time(), tokenArgs(login)),
    )
    if (kind === 'refused') return refuse(oneOf(REFUSALS, detail))
    return {
      kind: 'opened',
      family: familyOf(login, detail),
      user: readUser(user),
    }
  }

  async function peek(presented: Parameters<Families['peek']>[0]): Promise<PeekOutcome> {
    const { generation, reuseGraceMs } = presented
    const [kind, detail, user] = await peekScript(keysOf(presented), [
      time(),
      generation,
      reuseGraceMs,
    ])
    if (kind === 'refused') return refuse(oneOf(PEEK_REFUSALS, detail))
    return {
      kind: 'active',
      family: familyOf(presented, detail),
      user: readUser(user),
    }
  }

  async function end(request: EndRequest): Promise<EndOutcome> {
    const [reply, tokens] = await endScript(keysOf(request), [
      time(),
      request.clientId ?? '',
      request.sid,
    ])
    const outcome = oneOf(ENDED, reply)
    if (outcome === 'family_unknown') await doubt()
    if (outcome === 'ended' || outcome === 'already_ended') rememberEnd(request)
    await statusBits.setAll(tokens)
    return outcome
  }

  return {
    open,
    rotate: createRotate(adapter, parts),
    peek,
    end,
    list: createList(adapter),
    ownerOf: createOwnerOf(adapter),
  }
}

function openArgs(
  login: Login,
  time: string,
  token: readonly [string, number],
): Array<string | number> {
  const { device = NO_DEVICE } = login
  return [
    time,
    login.sessionsEpoch,
    login.clientId,
    login.scope,
    JSON.stringify(login.audience),
    login.idleMs,
    login.absoluteMs,
    login.jkt ?? '',
    ...token,
    device.name ?? '',
    device.userAgent ?? '',
    device.network ?? '',
  ]
}
