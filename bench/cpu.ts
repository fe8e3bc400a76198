// The CPU time of a process and of those that it has started, as Linux tells it: to ask the process itself
// would cost what is to be measured.
import { readdir, readFile } from 'node:fs/promises'

const NS_PER_US = 1000

/** Microseconds since the start, all threads that there are now. */
export async function cpuOfTree(pid: number): Promise<number> {
  const pids = [pid, ...(await childrenOf(pid))]
  const times = await Promise.all(pids.map(cpuOf))
  return sum(times)
}

/** Microseconds of the first thread, which a Node process has its event loop in, and of all others. */
export async function cpuOfThreads(
  pid: number,
): Promise<{ readonly first: number; readonly others: number }> {
  const first = await cpuOfTask(pid, pid)
  return { first, others: (await cpuOf(pid)) - first }
}

async function cpuOf(pid: number): Promise<number> {
  const tasks = await readdir(`/proc/${pid}/task`)
  return sum(await Promise.all(tasks.map(task => cpuOfTask(pid, task))))
}

async function cpuOfTask(pid: number, task: number | string): Promise<number> {
  const stat = await textOf(`/proc/${pid}/task/${task}/schedstat`)
  return Number(stat.split(' ')[0]) / NS_PER_US
}

async function childrenOf(pid: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const stats = await Promise.all(pids.map(each => textOf(`/proc/${each}/stat`)))
  // PID (NAME) STATE PARENT; a name may have blanks.
  const isChild = (stat: string) =>
    stat.replace(/^.*\) /s, '').split(' ')[1] === String(pid)
  return pids.filter((_, index) => isChild(stats[index] ?? '')).map(Number)
}

// A process or a thread may end meanwhile.
async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
