// Which cores the processes of a bench run on: what is measured, the store and the load have their own where
// the machine has enough of them, and `taskset`.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What a process is for: it is measured, it keeps the data, or it sends the requests. */
export type Role = 'server' | 'store' | 'load'
type Places = Readonly<Record<Role, string>>

/** --no-pin leaves all processes to the scheduler. */
export const PIN_OPTION = { pin: { type: 'boolean', default: true } } as const

/** The cores of each role, as `taskset` takes them; a text says why nothing is pinned. */
let places: Places | string = 'this bench wants all cores for everybody'

/** Has processes pinned that start from now on, unless the command line says not to. */
export function usePins(isWanted: boolean): void {
  places = isWanted ? placesOf(allowedCores()) : '--no-pin'
}

/** Puts a process and all its threads where its role has its cores. */
export function pin(pid: number | undefined, role: Role): void {
  if (typeof places !== 'string') taskset(pid, places[role])
}

/** Lets a process run everywhere while the work is done: hashing takes all cores. */
export async function unpinned<Out>(
  pid: number,
  role: Role,
  work: () => Promise<Out>,
): Promise<Out> {
  if (typeof places === 'string') return work()
  taskset(pid, Object.values(places).join(','))
  try {
    return await work()
  } finally {
    pin(pid, role)
  }
}

/** For the head of a report. */
export function placesLine(): string {
  if (typeof places === 'string') return `nothing is pinned: ${places}`
  const { server, store, load } = places
  return store === load
    ? `what is measured is pinned to core ${server}, store and load share core ${load}`
    : `what is measured is pinned to core ${server}, the store to ${store}, the load to ${load}`
}

/** Cores that the kernel lets this process use; none where there is no /proc. */
function allowedCores(): readonly number[] {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status) ?? []
    return list.split(',').flatMap(range => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, at) => first + at)
    })
  } catch {
    return []
  }
}

function placesOf(cores: readonly number[]): Places | string {
  const [server, store, ...rest] = cores
  if (server === undefined || store === undefined) {
    return `${cores.length} cores are known`
  }
  try {
    execFileSync('taskset', ['-p', String(process.pid)], { stdio: 'ignore' })
  } catch {
    return 'taskset does not run here'
  }
  const load = rest.length > 0 ? rest : [store]
  return { server: String(server), store: String(store), load: load.join(',') }
}

function taskset(pid: number | undefined, cores: string): void {
  // One that has ended is nobody's to move.
  try {
    execFileSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' })
  } catch {}
}
