// latchkey config check
import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { plainHttpWarning } from '../config/plain-http.ts'
import type { Config } from '../config/schema.ts'
import { refuseRisks, risksOf } from '../stores/watch.ts'
import type { Io } from './io.ts'
import { withStore } from './tools.ts'
import { countOf } from './words.ts'

/** Adds `config`. */
export function addConfig(program: Command, io: Io): void {
  program
    .command('config')
    .description('the configuration')
    .command('check')
    .description('check the file, and that the store takes writes and is safe to run on')
    .addHelpText('after', '\nExample:\n  latchkey config check --config latchkey.yaml\n')
    .action(
      withStore(io, async ({ file, store, config, print }) => {
        await store.probe()
        const risks = await risksOf(store, systemClock)
        refuseRisks(risks, config.store)
        const checked = file ?? 'development mode'
        print(
          {
            config: checked,
            clients: config.clients.length,
            store: 'ok',
            risks,
            warnings: warningsOf(config),
          },
          [
            `${checked}: right, ${countOf(config.clients.length, 'client')}, the store takes writes`,
            ...risks.map(({ advice }) => `warning: ${advice}`),
            ...warningsOf(config).map(warning => `warning: ${warning}`),
          ],
        )
      }),
    )
}

/** What is allowed, and risky whatever the store is. */
function warningsOf(config: Config): string[] {
  return [plainHttpWarning(config) ?? []].flat()
}
