// Keys that the schema's library drops without a word where keys are free, lest they reach a prototype.
import { formatPlace, type Fault, type Place } from '../faults.ts'
import { keysAt } from './expected.ts'

const UNSAFE: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** A fault for each such key; where the schema names the keys, it refuses them itself. */
export function unsafeKeys(tree: unknown, place: Place = []): Fault[] {
  if (typeof tree !== 'object' || tree === null) return []
  return Object.entries(tree).flatMap(([key, value]) => {
    const here = [...place, Array.isArray(tree) ? Number(key) : key]
    return UNSAFE.has(key) && keysAt(place).length === 0
      ? [{ path: formatPlace(here), expected: 'another name: JavaScript keeps this one' }]
      : unsafeKeys(value, here)
  })
}
