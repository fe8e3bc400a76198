// From a V8 CPU profile to a table that can be read: which file or package the processor was in.
import type { Profiler } from 'node:inspector'

/** A share of the samples, 0 to 1. */
export interface ProfileLine {
  readonly where: string
  readonly share: number
}

/** Adds up the self time by place, the largest first. The time in which the process had nothing to do is left out. */
export function summarise ({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): ProfileLine[] {
  const places = new Map(nodes.map(node => [node.id, placeOf(node.callFrame)]))
  const times = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const where = places.get(id) ?? '?'
    if (where !== '(idle)') times.set(where, (times.get(where) ?? 0) + (timeDeltas[index] ?? 0))
  }
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  return [...times].map(([where, time]) => ({ where, share: time / total })).sort((a, b) => b.share - a.share)
}

// A native function has no file, only its name.
function placeOf ({ url, functionName }: Profiler.ProfileNode['callFrame']): string {
  if (url === '') return functionName.startsWith('(') ? functionName : `native ${functionName}`
  const [, ours] = url.split(/\/(src\/.*)$/)
  const [, packageName] = url.split(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//)
  return packageName ?? ours ?? url.replace(/^.*\/(bench\/)/, '$1')
}
