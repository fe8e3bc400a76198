// The refresh-token families in Redis: each call one script, one round trip.
import { Cluster, type Redis } from 'ioredis'
import type { EndOutcome, EndRequest, Families, Login, OpenOutcome, PeekOutcome, Presented, Refusal, RotateOutcome, Session } from '../ports.ts'
import type { RedisAdapter } from './adapter.ts'
import { familyOf, oneOf, userOf } from './replies.ts'
import { loadScript, reaching } from './scripts.ts'

export const REFUSALS: readonly Refusal[] = [
  'family_unknown', 'family_ended', 'family_idle', 'family_expired', 'client_mismatch', 'key_mismatch', 'user_unknown', 'user_disabled', 'sessions_ended',
]
const WIDER = ['scope_wider', 'audience_wider'] as const
const ROTATED = ['rotated', 'replayed', 'late', 'healed', 'reused'] as const
const ENDED: readonly EndOutcome[] = ['ended', 'already_ended', 'family_unknown', 'client_mismatch']

/** How many keys one SCAN looks at. */
const SCAN_COUNT = 1000

export function createRedisFamilies ({ client, keys, time }: RedisAdapter): Families {
  const openScript = loadScript(client, 'open')
  const rotateScript = loadScript(client, 'rotate')
  const peekScript = loadScript(client, 'peek')
  const endScript = loadScript(client, 'end')
  const sessionScript = loadScript(client, 'session')

  const keysOf = (ref: { readonly userTag: string, readonly sid: string }) => [keys.user(ref.userTag), keys.family(ref)]

  async function open (login: Login): Promise<OpenOutcome> {
    const { epoch, clientId, scope, audience, idleMs, absoluteMs, jkt = '' } = login
    const args = [time(), epoch, clientId, scope, JSON.stringify(audience), idleMs, absoluteMs, jkt]
    const [kind, detail, user] = await openScript(keysOf(login), args)
    if (kind === 'refused') return { kind, reason: oneOf(REFUSALS, detail) }
    return { kind: 'opened', family: familyOf(login, detail), user: userOf(user) }
  }

  async function rotate (presented: Presented): Promise<RotateOutcome> {
    const { generation, clientId, idleMs, reuseGraceMs, lateRetry, jkt = '', scope = [], audience = [] } = presented
    const args = [time(), generation, clientId, idleMs, reuseGraceMs, lateRetry, jkt, scope.join(' '), JSON.stringify(audience)]
    const [kind, detail, family, user] = await rotateScript(keysOf(presented), args)
    if (kind === 'refused') return { kind, reason: oneOf([...REFUSALS, ...WIDER], detail) }
    const found = { family: familyOf(presented, family), user: userOf(user) }
    const rotated = oneOf(ROTATED, kind)
    return rotated === 'reused' ? { kind: rotated, ...found } : { kind: rotated, generation: Number(detail), ...found }
  }

  async function peek (presented: Parameters<Families['peek']>[0]): Promise<PeekOutcome> {
    const { generation, reuseGraceMs } = presented
    const [kind, detail, user] = await peekScript(keysOf(presented), [time(), generation, reuseGraceMs])
    if (kind === 'refused') return { kind, reason: oneOf([...REFUSALS, 'superseded'], detail) }
    return { kind: 'active', family: familyOf(presented, detail), user: userOf(user) }
  }

  async function end (request: EndRequest): Promise<EndOutcome> {
    const [outcome] = await endScript(keysOf(request), [time(), request.clientId ?? ''])
    return oneOf(ENDED, outcome)
  }

  async function session (userTag: string, sid: string): Promise<readonly Session[]> {
    const ref = { userTag, sid }
    const [kind, family, generation, lateCount] = await sessionScript(keysOf(ref), [time()])
    return kind === 'refused' ? [] : [{ ...familyOf(ref, family), generation: Number(generation), lateCount: Number(lateCount) }]
  }

  async function list (userTag: string): Promise<readonly Session[]> {
    const found = await reaching(() => scanAll(client, keys.families(userTag)))
    const sids = found.map(key => key.slice(keys.family({ userTag, sid: '' }).length))
    const sessions = await Promise.all(sids.map(sid => session(userTag, sid)))
    return sessions.flat().sort((a, b) => b.startedAt - a.startedAt)
  }

  return { open, rotate, peek, end, list }
}

/** There is no index of a user's families, which would grow with every login: an operator's question may look at all keys. */
async function scanAll (client: Redis | Cluster, pattern: string): Promise<readonly string[]> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const found = await Promise.all(nodes.map(node => scan(node, pattern)))
  return [...new Set(found.flat())]
}

async function scan (node: Redis, pattern: string): Promise<readonly string[]> {
  const found: string[] = []
  let cursor = '0'
  do {
    const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)
    found.push(...keys)
    cursor = next
  } while (cursor !== '0')
  return found
}
