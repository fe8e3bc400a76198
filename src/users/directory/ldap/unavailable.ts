// What an LDAP directory says where it has no verdict.
import type { Unavailable } from '../external.ts'
import { LdapBusy, LdapFault, LdapResult } from './server.ts'

/** The directory doesn't answer, or is configured wrong. */
export function unavailable(fault: string): Unavailable {
  return { kind: 'unavailable', fault }
}

/** It refuses this question, and may answer others. */
export function ofQuestion(fault: string): Unavailable {
  return { kind: 'unavailable', scope: 'question', fault }
}

/** By what a question rejected with; throws what is no fault of the directory. */
export function unavailableBy(error: unknown): Unavailable {
  if (error instanceof LdapBusy) {
    return { kind: 'unavailable', scope: 'busy', fault: error.message }
  }
  if (error instanceof LdapFault) return unavailable(error.message)
  if (!(error instanceof LdapResult)) throw error
  return unavailable(`it answered a search with result code ${error.code}`)
}
