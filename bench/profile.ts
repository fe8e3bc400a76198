// From a V8 CPU profile to a table that can be read: which file or package the processor was in, or which
// function or line.
import type { Profiler } from 'node:inspector'

/** Microseconds of a request, by place. */
export type Places = ReadonlyMap<string, number>

const SIZES = ['module', 'function', 'line'] as const

/** How small a place is. */
export type PlaceSize = (typeof SIZES)[number]

/** As the command line says. */
export function sizeOfPlaces(text: string): PlaceSize {
  const size = SIZES.find(known => known === text)
  if (size === undefined) throw new Error(`--by is one of ${SIZES.join(', ')}`)
  return size
}

/**
 * Adds up the self time by place. The time in which the process had nothing to do is left out.
 *
 * @param cpu microseconds of a request, to be shared out
 */
export function summarise(
  { nodes, samples = [], timeDeltas = [] }: Profiler.Profile,
  cpu: number,
  by: PlaceSize = 'module',
): Places {
  const nodeTimes = new Map<number, number>()
  for (const [index, id] of samples.entries()) {
    nodeTimes.set(id, (nodeTimes.get(id) ?? 0) + (timeDeltas[index] ?? 0))
  }
  const times = new Map<string, number>()
  for (const node of nodes) {
    if (NO_WORK.has(moduleOf(node.callFrame))) continue
    const time = nodeTimes.get(node.id) ?? 0
    for (const [where, share] of placesOf(node, by)) {
      times.set(where, (times.get(where) ?? 0) + time * share)
    }
  }
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  return new Map([...times].map(([where, time]) => [where, (time / total) * cpu]))
}

// The profiler's own start is no request's.
const NO_WORK = new Set(['(idle)', 'node:inspector'])

/** The places of a node of the profile, and the share of its time that each has. */
function placesOf(
  { callFrame, positionTicks = [] }: Profiler.ProfileNode,
  by: PlaceSize,
): ReadonlyArray<readonly [where: string, share: number]> {
  const { url, functionName, lineNumber } = callFrame
  const module = moduleOf(callFrame)
  if (by === 'module' || url === '') return [[module, 1]]
  const name = functionName === '' ? 'a function' : functionName
  const fileName = /\/node_modules\//.test(url) ? ` ${url.replace(/^.*\//, '')}` : ''
  const ticks = positionTicks.reduce((sum, each) => sum + each.ticks, 0)
  // The profile counts lines of functions from 0, and those of ticks from 1.
  return by === 'function' || ticks === 0
    ? [[`${module}${fileName}:${lineNumber + 1} ${name}`, 1]]
    : positionTicks.map(each => [
        `${module}${fileName}:${each.line} ${name}`,
        each.ticks / ticks,
      ])
}

// A native function has no file, only its name.
function moduleOf({ url, functionName }: Profiler.ProfileNode['callFrame']): string {
  if (url === '') {
    return functionName.startsWith('(') ? functionName : `native ${functionName}`
  }
  const [, ours] = url.split(/\/(src\/.*)$/)
  const [, packageName] = url.split(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//)
  return packageName ?? ours ?? url.replace(/^.*\/(bench\/)/, '$1')
}
