// How many accounts, sessions and revocations a back-up has.
import type { BackupContent } from '../../ports/backups.ts'
import type { BackupRecord } from './backup-file.ts'

/** Counts what records are about. */
export class Count {
  readonly takenAt: number
  #accounts = 0
  #sessions = 0
  #revocations = 0

  constructor(takenAt: number) {
    this.takenAt = takenAt
  }

  add({ key, hash }: BackupRecord): void {
    if (/^\{[^}]+\}:u$/.test(key) && hash?.includes('sub')) this.#accounts += 1
    if (/^\{[^}]+\}:f:/.test(key)) this.#sessions += 1
    if (/^\{(?!status\})[^}]+\}:r:/.test(key)) this.#revocations += 1
  }

  sum(): BackupContent {
    return {
      takenAt: this.takenAt,
      accounts: this.#accounts,
      sessions: this.#sessions,
      revocations: this.#revocations,
    }
  }
}
