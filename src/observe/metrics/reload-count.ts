// What became of configurations that a running server read anew.
import { Gauge, type Registry } from 'prom-client'
import { createTally } from './tally.ts'

const RESULTS = ['taken', 'refused'] as const

export type ReloadResult = (typeof RESULTS)[number]

/** Makes the place where a reload is counted. */
export function createReloadCount(registry: Registry): (result: ReloadResult) => void {
  const count = createTally(registry, {
    name: 'latchkey_config_reloads_total',
    help:
      'Reloads of the configuration: taken, or refused, in which case the old one stays in ' +
      'force.',
    labelNames: ['result'],
    labelsOf: result => ({ result }),
    known: RESULTS,
  })
  const refused = new Gauge({
    name: 'latchkey_config_refused',
    help:
      '1 while the present configuration file was refused and an older configuration is in ' +
      'force, else 0.',
    registers: [registry],
  })
  return result => {
    count(result)
    refused.set(Number(result === 'refused'))
  }
}
