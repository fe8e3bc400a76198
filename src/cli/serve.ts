// latchkey serve
import type { Command } from 'commander'
import type { Io } from './terminal/io.ts'
import { withTools } from './tools.ts'

/** Adds `serve`. */
export function addServe(program: Command, io: Io): void {
  program
    .command('serve')
    .description('run the server')
    .addHelpText(
      'after',
      '\nExample:\n  latchkey serve --config /etc/latchkey/latchkey.yaml\n',
    )
    .action(
      withTools(io, async ({ file }) => {
        // Only here: every other command starts faster without Fastify.
        const { serve } = await import('../main.ts')
        await serve({ env: { ...io.env, LATCHKEY_CONFIG: file } })
      }),
    )
}
