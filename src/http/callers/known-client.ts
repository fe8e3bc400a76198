// Which client a request came from, once it is known: for the log's line about the request.
import { createRequestSlot } from '../request/request-slot.ts'

const clients = createRequestSlot<string>()

/** Notes the client of a request that was authenticated, or whose access token was verified, by its id. */
export const noteClient = clients.set

/**
 * Its id; undefined: the request came from nobody, or from nobody who proved it. A public client has nothing
 * to prove it by: of it this is a claim.
 */
export const knownClientOf = clients.get
