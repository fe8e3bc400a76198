// What the kernel knows of a file's POSIX locks.
import { readFileSync, statSync } from 'node:fs'

/** How many locks the process `pid`, or one that it started, holds on the file. */
export function locksOn(file: string, pid: number): number {
  const inode = statSync(file).ino
  const owners = new Set(familyOf(String(pid)))
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(
      ([, , , , owner, place]) =>
        owner !== undefined && owners.has(owner) && place?.endsWith(`:${inode}`),
    ).length
}

/** A process and its descendants: an image's server runs below the script that starts it. */
function familyOf(pid: string): string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(child => child !== '')
  return [pid, ...children.flatMap(familyOf)]
}
