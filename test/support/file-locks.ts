// What the kernel knows of a file's POSIX locks.
import { readFileSync, statSync } from 'node:fs'

/** How many locks the process `pid` holds on the file. */
export function locksOn(file: string, pid: number): number {
  const inode = statSync(file).ino
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(
      ([, , , , owner, place]) => owner === String(pid) && place?.endsWith(`:${inode}`),
    ).length
}
