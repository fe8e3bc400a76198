// From a V8 CPU profile to a table that can be read: which file or package the processor was in.
import type { Profiler } from 'node:inspector'

/** Microseconds of a request, by place. */
export type Places = ReadonlyMap<string, number>

/**
 * Adds up the self time by place. The time in which the process had nothing to do is left out.
 *
 * @param cpu microseconds of a request, to be shared out
 */
export function summarise(
  { nodes, samples = [], timeDeltas = [] }: Profiler.Profile,
  cpu: number,
): Places {
  const places = new Map(nodes.map(node => [node.id, placeOf(node.callFrame)]))
  const times = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const where = places.get(id) ?? '?'
    if (!NO_WORK.has(where)) {
      times.set(where, (times.get(where) ?? 0) + (timeDeltas[index] ?? 0))
    }
  }
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  return new Map([...times].map(([where, time]) => [where, (time / total) * cpu]))
}

// The profiler's own start is no request's.
const NO_WORK = new Set(['(idle)', 'node:inspector'])

// A native function has no file, only its name.
function placeOf({ url, functionName }: Profiler.ProfileNode['callFrame']): string {
  if (url === '') {
    return functionName.startsWith('(') ? functionName : `native ${functionName}`
  }
  const [, ours] = url.split(/\/(src\/.*)$/)
  const [, packageName] = url.split(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//)
  return packageName ?? ours ?? url.replace(/^.*\/(bench\/)/, '$1')
}
