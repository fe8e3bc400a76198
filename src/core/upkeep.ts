// What is done again and again so that the core goes on knowing what the other servers do: nobody tells a
// server but the store.
import { every, reportFirstFailure } from '../base/repeat.ts'
import type { KeySource } from '../keys/external/key-source.ts'
import { createSecretsNotice, waitUntilOthersKnow } from '../keys/secrets-at-start.ts'
import type { Core } from './core.ts'
import { createUnclaimedNotice } from './unclaimed.ts'

/** A key that was retired elsewhere has to die here, too. */
const RING_CHECK_MS = 1_000
/** Well below TRUST_MS (keys/known-secrets.ts). */
const SECRETS_SYNC_MS = 1_000
/** A revocation has to reach verifiers within status.ttl and a second, whichever server they ask. */
const STATUS_SYNC_MS = 500
const SIGHTINGS_MS = 60_000
/** An operator is asked soon after somebody couldn't log in. */
const REFUSALS_MS = 1_000
/** An audit log that is followed says soon what was done at the command line. */
const AUDIT_LINES_MS = 1_000
/** Well below the time that a look at all accounts is believed (stores/redis/people/index/wholeness.ts). */
const ACCOUNTS_MS = 600_000
/** Some thousand accounts a day are looked at: more than sign up. */
const SIGN_UPS_MS = 600_000
/** 200 accounts each time, so that a million are looked at in seven hours. */
const DELETIONS_MS = 5_000

/** The log's two levels that are used here. */
export interface UpkeepLog {
  warn(message: string): void
  warn(fields: { readonly err: unknown }, message: string): void
  error(fields: { readonly err: unknown }, message: string): void
}

/** What the upkeep needs. */
export interface UpkeepOptions {
  readonly core: Core
  /** Where keys are kept elsewhere; undefined: nowhere. */
  readonly source: KeySource | undefined
  readonly log: UpkeepLog
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>
  /** Logs an audit line that a command has left. Never throws. */
  readonly logAuditLine: (line: string) => void
  /** Takes each timer, to be ended with the server. */
  readonly parts: AsyncDisposableStack
}

/** The upkeep, while it runs. */
export interface Upkeep {
  /** Plans for another algorithm at once, and not with the next check. Never rejects. */
  checkRing(): Promise<void>
  /** Looks for values that have become unique and aren't claimed, and warns. Never rejects. */
  lookAtValues(): Promise<void>
}

/**
 * Starts the upkeep. Resolves when the other servers have heard of this one's secrets.
 */
export async function startUpkeep({
  core,
  source,
  log,
  wait,
  logAuditLine,
  parts,
}: UpkeepOptions): Promise<Upkeep> {
  const failing = (message: string) => (err: unknown) => {
    log.error({ err }, message)
  }
  const { keys, knownSecrets, status, sightings } = core
  source?.watch(
    failing('the keys that are kept elsewhere could not be read; those of before go on'),
  )
  const checkRing = reportFirstFailure(
    () => keys.load(),
    failing('the key ring could not be checked; the one in memory goes on'),
  )
  parts.defer(every(RING_CHECK_MS, checkRing))
  const noticeSecrets = createSecretsNotice(knownSecrets, log)
  noticeSecrets()
  await waitUntilOthersKnow({ known: knownSecrets, wait })
  const syncSecrets = reportFirstFailure(
    () => knownSecrets.sync().then(noticeSecrets),
    failing('the secrets of the other servers could not be read; those known go on'),
  )
  parts.defer(every(SECRETS_SYNC_MS, syncSecrets))
  const syncStatus = reportFirstFailure(
    status.sync,
    failing('the status lists could not be read; those in memory go on'),
  )
  parts.defer(every(STATUS_SYNC_MS, syncStatus))
  const saveSightings = reportFirstFailure(sightings.flush, err => {
    log.warn({ err }, 'who fetches the keys could not be saved')
  })
  parts.defer(saveSightings)
  parts.defer(every(SIGHTINGS_MS, saveSightings))
  const saveRefusals = reportFirstFailure(core.refusals.flush, err => {
    log.warn({ err }, 'why logins were refused could not be saved')
  })
  parts.defer(saveRefusals)
  parts.defer(every(REFUSALS_MS, saveRefusals))
  const takeAuditLines = reportFirstFailure(
    () => core.auditLines.takeOver(logAuditLine),
    failing('what commands have done could not be read; the audit log has it later'),
  )
  parts.defer(every(AUDIT_LINES_MS, takeAuditLines))
  const settleAccounts = reportFirstFailure(core.store.directory.settle, err => {
    log.warn(
      { err },
      'the accounts could not be looked through; lists of them do it themselves',
    )
  })
  // It never rejects, and nobody waits for it: there may be millions.
  settleAccounts().then()
  parts.defer(every(ACCOUNTS_MS, settleAccounts))
  const sweepSignUps = reportFirstFailure(
    core.staleSignUps.sweep,
    failing(
      'sign-ups that nobody verified could not be taken away; their names stay taken',
    ),
  )
  parts.defer(every(SIGN_UPS_MS, sweepSignUps))
  sweepDeletions(core, { failing, parts })
  const lookAtValues = createUnclaimedNotice({
    core,
    log,
    wait,
    parts,
  })
  lookAtValues().then()
  return { checkRing, lookAtValues }
}

/**
 * Erases what users have deleted, once their time to think it over has passed. They were promised it: also
 * where `selfService.account` has been switched off since.
 */
function sweepDeletions(
  { deletions }: Core,
  {
    failing,
    parts,
  }: Pick<UpkeepOptions, 'parts'> & {
    readonly failing: (message: string) => (err: unknown) => void
  },
): void {
  const sweep = reportFirstFailure(
    deletions.sweep,
    failing('accounts that their users have deleted could not be erased; they wait'),
  )
  parts.defer(every(DELETIONS_MS, sweep))
}
