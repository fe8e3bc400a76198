// latchkey config check
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { withStore } from './tools.ts'

/** Adds `config`. */
export function addConfig (program: Command, io: Io): void {
  program.command('config').description('the configuration').command('check')
    .description('check the file, and that the store takes writes')
    .addHelpText('after', '\nExample:\n  latchkey config check --config latchkey.yaml\n')
    .action(withStore(io, async ({ file, store, config, print }) => {
      await store.probe()
      const checked = file ?? 'development mode'
      print({ config: checked, clients: config.clients.length, store: 'ok' }, `${checked}: right, ${config.clients.length} clients, the store takes writes`)
    }))
}
