// Every call of the store, one by one and by name, so that each can be timed or traced: the name is the
// metric's `command`.
import { monotonicClock } from '../../base/clock.ts'
import type { AddressCounts } from '../../stores/ports/address-counts.ts'
import type { Store } from '../../stores/ports/store.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Spans } from './tracing.ts'

/** Gives a call in the place of another. */
export type Around = <Args extends unknown[], Result>(
  command: string,
  call: (...args: Args) => Promise<Result>,
) => (...args: Args) => Promise<Result>

/** What was opened. */
export interface Opened {
  readonly store: Store
  readonly addressCounts: AddressCounts | undefined
}

/** What was opened, with something around each call; what is a walk over all accounts stays as it is. */
export function aroundStore({ store, addressCounts }: Opened, around: Around): Opened {
  return {
    store: aroundPorts(store, around),
    addressCounts: addressCounts && {
      add: around('address_counts.add', addressCounts.add),
    },
  }
}

function aroundPorts(
  {
    families,
    accessTokens,
    subjects,
    directory,
    keys,
    replays,
    sightings,
    secretLists,
    groups,
    statusLists,
    outbox,
    tickets,
    ...store
  }: Store,
  around: Around,
): Store {
  return {
    families: {
      open: around('families.open', families.open),
      rotate: around('families.rotate', families.rotate),
      peek: around('families.peek', families.peek),
      end: around('families.end', families.end),
      list: around('families.list', families.list),
      ownerOf: around('families.owner_of', families.ownerOf),
    },
    accessTokens: {
      revoke: around('access_tokens.revoke', accessTokens.revoke),
      check: around('access_tokens.check', accessTokens.check),
    },
    subjects: { ...subjects, byTag: around('users.by_tag', subjects.byTag) },
    directory: {
      ...directory,
      addAll: around('users.add_all', directory.addAll),
      byName: around('users.by_name', directory.byName),
      byValue: around('users.by_value', directory.byValue),
      upgradePassword: around('users.upgrade_password', directory.upgradePassword),
    },
    keys: { load: around('keys.load', keys.load), save: around('keys.save', keys.save) },
    replays: { once: around('replays.once', replays.once) },
    statusLists: {
      lease: around('status_lists.lease', statusLists.lease),
      revoke: around('status_lists.revoke', statusLists.revoke),
      read: around('status_lists.read', statusLists.read),
    },
    outbox: {
      append: around('outbox.append', outbox.append),
      take: around('outbox.take', outbox.take),
      remove: around('outbox.remove', outbox.remove),
      postpone: around('outbox.postpone', outbox.postpone),
      backlog: around('outbox.backlog', outbox.backlog),
    },
    tickets: {
      make: around('tickets.make', tickets.make),
      look: around('tickets.look', tickets.look),
      setPassword: around('tickets.set_password', tickets.setPassword),
      setAttributes: around('tickets.set_attributes', tickets.setAttributes),
    },
    sightings: {
      load: around('sightings.load', sightings.load),
      save: around('sightings.save', sightings.save),
    },
    secretLists: {
      load: around('secret_lists.load', secretLists.load),
      save: around('secret_lists.save', secretLists.save),
    },
    groups: {
      load: around('groups.load', groups.load),
      save: around('groups.save', groups.save),
    },
    ...store,
    ...aroundLogins(store, around),
    now: around('now', store.now),
    probe: around('probe', store.probe),
  }
}

function aroundLogins(
  { loginAttempts, loginRefusals }: Pick<Store, 'loginAttempts' | 'loginRefusals'>,
  around: Around,
): Pick<Store, 'loginAttempts' | 'loginRefusals'> {
  return {
    loginAttempts: {
      areWelcome: around('login_attempts.are_welcome', loginAttempts.areWelcome),
      begin: around('login_attempts.begin', loginAttempts.begin),
      settle: around('login_attempts.settle', loginAttempts.settle),
      forget: around('login_attempts.forget', loginAttempts.forget),
    },
    loginRefusals: {
      add: around('login_refusals.add', loginRefusals.add),
      of: around('login_refusals.of', loginRefusals.of),
    },
  }
}

/** Times each call. */
export function timedStore(
  opened: Opened,
  { storeCommand }: Pick<Metrics, 'storeCommand'>,
  monotonic = monotonicClock,
): Opened {
  return aroundStore(opened, (command, call) => {
    const tell = storeCommand(command)
    return async (...args) => {
      const startedAt = monotonic()
      let failed = true
      try {
        const result = await call(...args)
        failed = false
        return result
      } finally {
        tell((monotonic() - startedAt) / 1000, failed)
      }
    }
  })
}

/** Traces each call. `system`: what the store is, as OpenTelemetry's semantic conventions name it. */
export function tracedStore(
  opened: Opened,
  { around }: Spans,
  system: 'redis' | 'sqlite',
): Opened {
  return aroundStore(opened, (command, call) =>
    around(`store ${command}`, call, {
      'db.system.name': system,
      'db.operation.name': command,
    }),
  )
}
