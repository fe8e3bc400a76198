// What the errors of PostgreSQL and of its driver mean to the store and to whoever runs it.
import { UnreadableFile } from '../../../base/sql/server.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'

/** What an operator reads of a code of PostgreSQL's (its appendix A). */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['25006', 'it only reads: it is a standby, or is being switched over'],
  ['25P03', 'a transaction waited too long for the store of the sessions'],
  ['28P01', 'user or password refused'],
  ['28000', 'pg_hba.conf has no line that admits this user from this host'],
  ['3D000', 'it has no such database'],
  ['40001', 'another change came first'],
  ['40P01', 'two changes waited for each other'],
  [
    '42501',
    'this user may not use the tables: let the owner of the schema latchkey GRANT them, or run a command ' +
      'as a user who may make them (docs/users-elsewhere.md)',
  ],
  ['53100', 'its disk is full'],
  ['53300', 'it has no connection left'],
  ['55P03', 'another change of the account takes too long'],
  ['57014', 'a statement took longer than store.accounts.timeout'],
  ['57P01', 'it is being shut down'],
  ['57P02', 'it is starting after a crash'],
  ['57P03', 'it is starting or stopping'],
])

/** States and classes in which no call succeeds: connections, logins, resources, shutdowns, disks. */
const AWAY = /^(?:08|28|3D|53|57P|58|25006)/

/** What this program throws by mistake; the driver and Node's sockets throw plain errors. */
const OF_PROGRAM = [TypeError, RangeError, ReferenceError, SyntaxError]

/** A call that failed; `where` is the server's place. */
export function unavailable(error: unknown, where: string): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error
  const state = stateOf(error)
  const words = WORDS.get(state ?? '') ?? messageOf(error, state)
  const detail = state === undefined ? words : `${state}: ${words}`
  const happened = isAway(error) ? 'gives no answer' : 'did not do what was asked'
  const reason = `PostgreSQL at ${where}, which has the accounts, ${happened} (${detail})`
  return new StoreUnavailable(error, reason)
}

/**
 * Whether a failed call means that other calls fail, too. What PostgreSQL says of one statement, what another
 * store says, and a file that can't be read say nothing of the server.
 */
export function isAway(error: unknown): boolean {
  const state = stateOf(error)
  if (state !== undefined) return AWAY.test(state)
  return !(
    error instanceof StoreUnavailable ||
    error instanceof UnreadableFile ||
    isOfProgram(error)
  )
}

/** Whether it is a mistake in this program, and says nothing of any store. */
export function isOfProgram(error: unknown): boolean {
  return OF_PROGRAM.some(type => error instanceof type)
}

/** The SQLSTATE that PostgreSQL has answered; undefined: the error isn't PostgreSQL's. */
function stateOf(error: unknown): string | undefined {
  const { code } = Object(error)
  // No class of states begins with E, as the codes of Node's sockets do (EPIPE).
  return typeof code === 'string' && /^[0-9FHPX][0-9A-Z]{4}$/.test(code)
    ? code
    : undefined
}

/** In class 22 the message repeats the value. */
function messageOf(error: unknown, state = ''): string {
  if (state.startsWith('22')) return 'it can not take a value'
  return String(Object(error).message).replaceAll(/\s+/g, ' ').slice(0, 200)
}
