// What is wrong with a configuration: where, and what was expected there. Never what was found: it may be a
// secret.

import { looksLikeSecret } from './values/shown.ts'

/** One fault of a configuration. */
export interface Fault {
  /**
   * As people write it: `tokens.accessTtl`, `clients[0].grants[1]`; `line 3, column 5` where the text is no
   * YAML.
   */
  readonly path: string
  readonly expected: string
}

/** A configuration that can't be used, with all of its faults. Its message holds no value of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    super(faults.map(({ path, expected }) => `${path}: expected ${expected}`).join('\n'))
    this.faults = faults
  }
}

/** A place in the parsed file: keys of mappings, numbers of list items. */
export type Place = readonly (string | number)[]

/** Writes a place as people do. */
export function formatPlace(place: Place): string {
  if (place.length === 0) return '(the file)'
  return place.map(formatStep).join('').replace(/^\./, '')
}

function formatStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`
  if (looksLikeSecret(step)) return '[(a key that is not shown, as it may be a secret)]'
  return /^[A-Za-z_][\w-]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
}
