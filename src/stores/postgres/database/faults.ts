// What the errors of PostgreSQL and of its driver mean to the store and to whoever runs it.
import { StoreUnavailable } from '../../ports/unavailable.ts'

/** What an operator is told of a class or a code of PostgreSQL's (its appendix A). */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['25006', 'it only reads: it is a standby, or is being switched over'],
  ['25P03', 'a transaction waited too long for the store of the sessions'],
  ['28P01', 'user or password refused'],
  ['28000', 'it lets this user not in from here (pg_hba.conf)'],
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

/** Codes that say something of one call, and nothing of whether the server is there. */
const OF_ONE_CALL: readonly string[] = ['40001', '40P01', '55P03']

/** A call that failed; `where` is the server's place. */
export function unavailable(error: unknown, where: string): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error
  const { code, message } = Object(error)
  const state = typeof code === 'string' ? code : ''
  const words = WORDS.get(state) ?? oneLine(String(message))
  const detail = state === '' ? words : `${state}: ${words}`
  const reason = `PostgreSQL at ${where}, which has the accounts, gives no answer (${detail})`
  return new StoreUnavailable(error, reason)
}

/** Whether a failed call means that the server may be away. */
export function isAway(error: unknown): boolean {
  return !(
    error instanceof StoreUnavailable || OF_ONE_CALL.includes(String(Object(error).code))
  )
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 200)
}
