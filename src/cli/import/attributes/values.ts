// Values of other systems in the types that are declared here: a table knows texts only, and some systems
// keep a list of everything.
import type { Declaration } from '../../../users/attributes/declarations.ts'
import { valueOfText } from '../../../users/attributes/values.ts'
import { readFlag } from '../fields.ts'

/** Whether a record says something there: an empty text, list or object is nothing. */
export function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  return typeof value !== 'object' || Object.keys(value).length > 0
}

/**
 * Reads a value by a declaration. What can't be read stays as it is, and `checkAttributes` refuses it.
 *
 * @param isCell whether it is the whole of a table's cell, where a text may stand for a list
 */
export function valueFrom(
  value: unknown,
  declaration: Declaration,
  isCell: boolean,
): unknown {
  if (declaration.list) {
    const items = isCell ? itemsOfCell(value) : [value].flat()
    return items.map(item => singleFrom(item, declaration))
  }
  const [first, ...others]: readonly unknown[] = Array.isArray(value) ? value : [value]
  return others.length > 0 ? value : singleFrom(first, declaration)
}

function singleFrom(value: unknown, declaration: Declaration): unknown {
  if (declaration.type === 'boolean') return readFlag(value) ?? value
  return typeof value === 'string' ? (valueOfText(value, declaration) ?? value) : value
}

// Semicolons, or JSON, which may hold them.
function itemsOfCell(value: unknown): readonly unknown[] {
  const text = String(value)
  if (!text.startsWith('[')) {
    return text
      .split(';')
      .map(item => item.trim())
      .filter(item => item !== '')
  }
  try {
    return [JSON.parse(text)].flat()
  } catch {
    return [null]
  }
}
