// The core's self-service: what users do to their own account, through apps.
import { emitAs } from '../base/actor.ts'
import type { Emit } from '../base/events.ts'
import { createRequireFresh } from '../self-service/fresh-proof.ts'
import { createOwnAccount, type OwnAccount } from '../self-service/own-account.ts'
import { actorOf } from '../self-service/owner.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { ComposeOptions } from './options.ts'
import type { People } from './people.ts'

/** What the core can do for users themselves. */
export interface SelfService {
  readonly ownAccount: OwnAccount
}

/** What it is composed from. */
type SelfServiceParts = ComposeOptions &
  Pick<
    People,
    | 'directory'
    | 'hasher'
    | 'checkNewPassword'
    | 'authenticate'
    | 'nameInLogs'
    | 'accountsWith'
  > & { readonly sessionsWith: (emit: Emit) => Sessions }

/** Composes self-service. */
export function composeSelfService(parts: SelfServiceParts): SelfService {
  const { settings, store, clock, emit, accountsWith, sessionsWith } = parts
  return {
    ownAccount: createOwnAccount({
      ...parts,
      subjects: store.subjects,
      families: store.families,
      minPasswordLength: settings.minPasswordLength,
      declarations: settings.attributes,
      requireFresh: createRequireFresh({ ...parts, clock }),
      as(owner) {
        const emitFor = emitAs(actorOf(owner), emit, owner.origin)
        return { accounts: accountsWith(emitFor), sessions: sessionsWith(emitFor) }
      },
    }),
  }
}
