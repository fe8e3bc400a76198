// The operator's statement: its parameters are numbered as the database wants them, and no more than two rows
// are ever read, whatever it says.
import type { Statement } from './source.ts'

/** How a database writes a parameter: `$1`, or `?`. */
export type ParameterStyle = 'numbered' | 'positional'

const PARAMETER = /\$(\d+)/g
const END = /[\s;]+$/

/** Makes the statement that is sent. */
export function compile(text: string, style: ParameterStyle): Statement {
  const order: number[] = []
  const placed = text.replace(END, '').replaceAll(PARAMETER, (_, number: string) => {
    const value = Number(number) - 1
    if (style === 'positional') {
      order.push(value)
      return '?'
    }
    if (!order.includes(value)) order.push(value)
    return `$${order.indexOf(value) + 1}`
  })
  // A line break: the statement may end in a comment.
  return { text: `SELECT * FROM (${placed}\n) AS latchkey_asked LIMIT 2`, order }
}
