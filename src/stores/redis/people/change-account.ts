// Changes an account's record and its subject in one step.
import type { Account, ExternalId, Pending, UniqueValue } from '../../ports/directory.ts'
import {
  TICKET_FAULTS,
  type PresentedTicket,
  type TicketFault,
  type TicketRefused,
} from '../../ports/people/tickets.ts'
import type { RedisAdapter } from '../adapter.ts'
import { oneOf } from '../replies.ts'
import { writeFields } from './account-record.ts'

/** Members of an account that may change. */
type Changes = Partial<
  Pick<
    Account,
    | 'passwordHash'
    | 'disabled'
    | 'scopes'
    | 'roles'
    | 'name'
    | 'foldedName'
    | 'attributes'
    | 'emailVerified'
  > & {
    readonly pending: Pending | null
    readonly uniqueValues: readonly UniqueValue[]
    readonly external: ExternalId | null
  }
>

/** Members that change together, and only of the version that somebody has read. */
interface ChangeAt {
  readonly tag: string
  readonly version: number
  readonly set: Changes
  /** Whether every session of the user ends with it; default: none. */
  readonly endsSessions?: boolean
  /** The session that lives on where the others end. */
  readonly keeps?: string | undefined
  /** What allows it, and is taken with it. */
  readonly ticket?: PresentedTicket | undefined
}

/** What is done to an account. */
export interface AccountChange {
  readonly tag: string
  readonly set?: Changes
  /** Whether every session of the user ends with it. */
  readonly endsSessions: boolean
  /** The session that lives on where the others end. */
  readonly keeps?: string | undefined
}

/** False when there is no account of that tag. Rejects with StoreUnavailable. */
export type ChangeAccount = (change: AccountChange) => Promise<boolean>

/** What comes of a change without a ticket. */
export const CHANGED = ['changed', 'superseded', 'user_unknown'] as const

/** What comes of a change of one version. */
export type ChangedAt = (typeof CHANGED)[number] | TicketFault

/** Makes the change, whose effect is durable when it resolves. */
export function createChangeAccount(adapter: RedisAdapter): ChangeAccount {
  const run = createRun(adapter)
  return async ({ tag, ...change }) =>
    (await run({ tag, version: '', ...change })) === 'changed'
}

/** Makes a change of one version of an account, whose effect is durable when it resolves. */
export function createChangeAt(
  adapter: RedisAdapter,
): (change: ChangeAt) => Promise<ChangedAt> {
  const run = createRun(adapter)
  return ({ keeps, ...change }) =>
    run({ ...change, keeps, endsSessions: change.endsSessions ?? keeps !== undefined })
}

/** The outcome of a change as the ports say it. */
export function outcomeOf(
  kind: ChangedAt,
): { readonly kind: (typeof CHANGED)[number] } | TicketRefused {
  return isTicketFault(kind) ? { kind: 'ticket_refused', reason: kind } : { kind }
}

/** A ticket as `why_no_ticket` of shared.lua takes it. */
export function ticketArgs({
  hash,
  codes,
  address,
}: Pick<PresentedTicket, 'hash' | 'codes' | 'address'>): [string, string, string] {
  return [hash, codes.join(' '), address]
}

const NO_TICKET = { hash: '', codes: [], address: '', purpose: '' } as const

interface Run extends Omit<ChangeAt, 'version' | 'set'> {
  readonly set?: Changes
  readonly version: number | ''
  readonly endsSessions: boolean
}

function createRun(adapter: RedisAdapter): (change: Run) => Promise<ChangedAt> {
  const { keys, time, durably, statusBits } = adapter
  const script = durably('people/user-change')
  return async ({ tag, version, set = {}, endsSessions, keeps = '', ticket }) => {
    const { purpose } = ticket ?? NO_TICKET
    const [reply, tokens] = await script(
      [
        keys.user(tag),
        keys.live(tag),
        keys.family({ userTag: tag, sid: keeps }),
        keys.ticket(tag, purpose),
      ],
      [
        time(),
        version,
        Number(endsSessions),
        keeps,
        ...ticketArgs(ticket ?? NO_TICKET),
        ...writeFields(set),
      ],
    )
    if (reply === 0) return 'user_unknown'
    if (reply !== 1) return oneOf([...CHANGED, ...TICKET_FAULTS], reply)
    await statusBits.setAll(tokens)
    return 'changed'
  }
}

function isTicketFault(kind: ChangedAt): kind is TicketFault {
  return TICKET_FAULTS.some(fault => fault === kind)
}
