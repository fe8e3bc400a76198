// A memory limit as a container has one: a control group of our own, made by root, version 1 or 2.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from './until.ts'

export interface MemoryLimit {
  /** A command that starts the rest of its arguments under the limit. */
  readonly within: readonly string[]
  /** The most that was in use at once, files that were read included; bytes. */
  peak(): Promise<number>
  /** How many processes were killed for want of memory. */
  kills(): Promise<number>
  /** Removes the group, once nobody is in it. */
  remove(): Promise<void>
}

/** What the two versions call their files. */
interface Version {
  readonly root: string
  readonly limit: string
  readonly peak: string
  readonly events: string
}

const V1: Version = {
  root: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  peak: 'memory.max_usage_in_bytes',
  events: 'memory.oom_control',
}
const V2: Version = {
  root: '/sys/fs/cgroup',
  limit: 'memory.max',
  peak: 'memory.peak',
  events: 'memory.events',
}

/** Makes a limit; throws, and says what it takes, where none can be made. */
export async function limitMemory(bytes: number): Promise<MemoryLimit> {
  const version = existsSync(join(V1.root, V1.limit)) ? V1 : V2
  const group = join(version.root, `latchkey-test-${process.pid}`)
  const read = (file: string) => readFile(join(group, file), 'utf8')
  try {
    if (version === V2) {
      await writeFile(join(V2.root, 'cgroup.subtree_control'), '+memory')
    }
    await mkdir(group)
    await writeFile(join(group, version.limit), String(bytes))
  } catch (cause) {
    throw new Error(
      `no memory limit can be set: this takes root, and control groups that may be written (${version.root})`,
      { cause },
    )
  }
  return {
    within: ['sh', '-c', `echo $$ > ${group}/cgroup.procs && exec "$@"`, 'sh'],
    peak: async () => Number(await read(version.peak)),
    kills: async () => Number(/^oom_kill (\d+)$/m.exec(await read(version.events))?.[1]),
    remove: () => removeWhenEmpty(group),
  }
}

async function removeWhenEmpty(group: string): Promise<void> {
  await until(() => rmdir(group).then(() => true))
}
