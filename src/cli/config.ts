// latchkey config check
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import { probeElsewhere, type SilentDirectory } from '../core/elsewhere.ts'
import { formatDuration } from '../config/values/duration.ts'
import { plainHttpWarning } from '../config/rules/plain-http.ts'
import type { Config } from '../config/schema.ts'
import { checkStore, type CheckedStore } from '../stores/open.ts'
import { LOST_ADVICE, refuseRisks } from '../stores/watch.ts'
import { openTemplates } from '../outbox/mail/templates.ts'
import { openBlocklist } from '../users/blocklist/open-blocklist.ts'
import type { Io } from './terminal/io.ts'
import { Refused } from './terminal/refused.ts'
import { ANSWER_MS, readConfig, withTools } from './tools.ts'
import { countOf } from './terminal/words.ts'

const STORE_WORDS: Readonly<Record<CheckedStore['state'], string>> = {
  ok: 'the store takes writes',
  new: 'a start makes the store',
  old: 'a start brings the store up to date',
  lost: 'the store has lost its data',
}

/** Adds `config`. */
export function addConfig(program: Command, io: Io): void {
  program
    .command('config')
    .description('the configuration')
    .command('check')
    .description(
      'check the file, that the store takes writes and is safe to run on, and that directories answer',
    )
    .addHelpText('after', '\nExample:\n  latchkey config check --config latchkey.yaml\n')
    .action(
      // Not as other commands on the store: a check makes nothing that isn't there.
      withTools(io, async tools => {
        const { file = 'development mode', print } = tools
        const config = await readConfig(tools, false)
        await (await openBlocklist(config.passwords)).close()
        checkAuditFile(config.audit.to)
        checkTemplates(config.notify.mail)
        const { state, risks, lossEndsInMs } = await checkStore({
          ...config.store,
          deadlineMs: ANSWER_MS,
          clock: systemClock,
        })
        if (lossEndsInMs !== undefined) throw lost(lossEndsInMs)
        refuseRisks(risks, config.store)
        refuseSilent(await probeElsewhere(config))
        const clients = config.clients.length
        const warnings = warningsOf(config)
        print(
          {
            config: file,
            clients,
            store: state,
            risks,
            warnings,
          },
          [
            `${file}: right, ${countOf(clients, 'client')}, ${STORE_WORDS[state]}`,
            ...risks.map(({ advice }) => `warning: ${advice}`),
            ...warnings.map(warning => `warning: ${warning}`),
          ],
        )
      }),
    )
}

/** What is allowed, and risky whatever the store is. */
function warningsOf(config: Config): string[] {
  return [plainHttpWarning(config) ?? []].flat()
}

function refuseSilent(silent: readonly SilentDirectory[]): void {
  if (silent.length === 0) return
  throw new Refused(
    'directory_unavailable',
    silent
      .map(({ index, name, fault }) => `directories[${index}] (${name}): ${fault}`)
      .join('\n'),
  )
}

function lost(endsInMs: number): Refused {
  const left = formatDuration(Math.ceil(endsInMs / 60_000) * 60_000)
  return new Refused(
    'store_lost',
    `the store has lost its data (${left} left): ${LOST_ADVICE}`,
  )
}

function checkTemplates(mail: Config['notify']['mail']): void {
  if (mail === undefined) return
  try {
    openTemplates(mail)
  } catch (error) {
    throw new Refused(
      'templates_refused',
      `notify.mail.templates: ${Object(error).message}`,
    )
  }
}

function checkAuditFile(to: string): void {
  if (to === 'stdout') return
  const place = existsSync(to) ? to : dirname(resolve(to))
  try {
    accessSync(place, constants.W_OK)
  } catch {
    throw new Refused(
      'audit_not_written',
      `audit.to: expected a file that can be written: ${to}`,
    )
  }
}
