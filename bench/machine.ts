// The head of a report: on what it was measured, and what else ran there.
import { availableParallelism, loadavg } from 'node:os'
import { placesLine } from './pinning.ts'

/** How much was measured, where, and whether instructions were counted. */
export function head(
  amounts: Readonly<Record<string, number>>,
  counter?: unknown,
): string {
  const [minute = 0, five = 0] = loadavg()
  const all = Object.entries(amounts).map(([name, amount]) => `${amount} ${name}`)
  return [
    `${all.join(', ')}; Node ${process.version}, ${availableParallelism()} cores, load ` +
      `${minute.toFixed(1)} (${five.toFixed(1)} over five minutes); ${placesLine()}`,
    ...(typeof counter === 'string' ? [`instructions aren't counted: ${counter}`] : []),
    '',
  ].join('\n')
}
